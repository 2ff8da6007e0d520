"""docs/contract.md is whole: no method and no field is missing, and what proves a row exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor import Descriptor, FileDescriptor
from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import host_pb2, report_pb2, rqd_pb2

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parent / "docs" / "contract.md"
#: A test, a class of tests or a module of them, without the leading "tests.".
PROOF = re.compile(r"`((?:\w+\.)*test_\w+(?:\.[A-Z]\w*(?:\.test_\w+)?)?)`")


def rows() -> Iterator[Mapping[str, str]]:
    """Every row of every table, its cells by the headings of their columns."""
    headings: list[str] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            headings = []
        elif not headings:
            headings = cells(line)
        elif not line.startswith("| ---"):
            yield dict(zip(headings, cells(line), strict=True))


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def first(row: Mapping[str, str]) -> list[str]:
    """What a row is about."""
    return next(iter(row.values())).replace("`", "").split()


def contract() -> Iterator[str]:
    """Every method, field and value of the contract."""
    for file in (host_pb2, report_pb2, rqd_pb2):
        described: FileDescriptor = file.DESCRIPTOR
        for service in described.services_by_name.values():
            yield from (f"{service.name}.{method.name}" for method in service.methods)
        for message in described.message_types_by_name.values():
            yield from fields(message)
        for enum in described.enum_types_by_name.values():
            yield from (f"{enum.name}.{value.name}" for value in enum.values)


def fields(message: Descriptor) -> Iterator[str]:
    return (f"{message.name}.{field.name}" for field in message.fields)


def exists(proof: str) -> bool:
    """Whether there is such a module, class or test."""
    parts = proof.split(".")
    for cut in range(len(parts), 0, -1):
        path = TESTS.joinpath(*parts[:cut]).with_suffix(".py")
        if path.exists():
            within = parts[cut:]
            return not within or within[-1] in set(defined(path, within[:-1]))
    return False


def defined(path: Path, within: list[str]) -> Iterator[str]:
    """Names of a module's classes, or of the tests in one of these."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            if not within:
                yield node.name
            elif node.name == within[0]:
                yield from (getattr(part, "name", "") for part in node.body)


class ContractPageTests(SynchronousTestCase):
    """The page."""

    def test_whole(self) -> None:
        """Each method, field and value has one row, and no row is about anything else."""
        told = [name for row in rows() for name in first(row) if re.fullmatch(r"\w+\.\w+", name)]
        self.assertEqual(sorted(set(contract()) - set(told)), [])
        self.assertEqual(sorted(set(told) - set(contract())), [])
        self.assertEqual(sorted({name for name in told if told.count(name) > 1}), [])

    def test_proofs(self) -> None:
        """Every test that the page names exists."""
        proofs = set(PROOF.findall(PAGE.read_text(encoding="utf-8")))
        self.assertGreater(len(proofs), 50)
        self.assertEqual(sorted(proof for proof in proofs if not exists(proof)), [])
        self.assertFalse(exists("test_contract_page.ContractPageTests.test_nothing"))
        self.assertFalse(exists("test_contract_page.NoTests"))

    def test_proved(self) -> None:
        """Every row names a test; none is put off."""
        for row in rows():
            self.assertRegex(row["proved by"], PROOF, row)
            self.assertNotIn("later:", str(row))
