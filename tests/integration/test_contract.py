"""Our messages are OpenCue's messages.

Both define the same protobuf packages, so one process can't hold both: each side is described by a
Python of its own, and the descriptions are compared.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.environments import SOURCE_TREE, cached_environment, run

DESCRIPTORS = Path(__file__).with_name("descriptors.py")


def ours(*files: str) -> list[str]:
    """The facts of the stubs that this very Python imports."""
    told = run(sys.executable, DESCRIPTORS, "rqd.proto", *files, PYTHONPATH=str(SOURCE_TREE))
    return told.splitlines()


def theirs(*files: str) -> list[str]:
    """The facts of OpenCue's own package."""
    python = cached_environment("opencue-proto", ["opencue-proto>=1.37"])
    return run(python, DESCRIPTORS, "opencue_proto", *files).splitlines()


class ContractTests(SynchronousTestCase):
    """Packages, services, methods, messages, fields, oneofs and enums."""

    def assertSameFacts(self, wanted: list[str], found: list[str]) -> None:
        self.assertGreater(len(wanted), 5)
        difference = difflib.unified_diff(
            wanted, found, "opencue-proto", "openrqd", n=1, lineterm=""
        )
        lines = list(difference)
        if lines:
            self.fail("\n".join(["the contract differs", *lines]))

    def test_rqd(self) -> None:
        """What Cuebot asks of an agent is the same, whole."""
        self.assertSameFacts(theirs("rqd"), ours("rqd"))

    def test_report(self) -> None:
        """What an agent tells Cuebot is the same, whole."""
        self.assertSameFacts(theirs("report"), ours("report"))

    def test_host(self) -> None:
        """Of the host file, the two enums that an agent meets are the same; the rest isn't ours."""
        self.assertSameFacts(theirs("host:HardwareState,LockState"), ours("host"))
