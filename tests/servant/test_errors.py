"""Refusals become definite gRPC statuses."""

from __future__ import annotations

import grpc
from twisted.trial.unittest import SynchronousTestCase

from rqd import refusals
from rqd.refusals import InvalidRequest, NotEnough, Refused
from rqd.servant.errors import MAX_DETAIL, STATUS_NAMES, status_code, status_name, wire_detail


class StatusTests(SynchronousTestCase):
    """Which status a refusal gets."""

    def test_complete(self) -> None:
        """Every refusal that exists has its own line in the table."""
        classes = [each for each in vars(refusals).values() if isinstance(each, type)]
        self.assertEqual({each for each in classes if issubclass(each, Refused)}, set(STATUS_NAMES))

    def test_definite(self) -> None:
        """Every name in the table is one of gRPC's, and none leaves the caller guessing."""
        codes = {status_code(name) for name in STATUS_NAMES.values()}
        self.assertFalse(codes & {grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN})

    def test_subclass(self) -> None:
        """A finer refusal is answered like the one it refines."""

        class NotEnoughMemory(NotEnough):
            pass

        self.assertEqual(status_name(NotEnoughMemory("no memory")), "RESOURCE_EXHAUSTED")


class DetailTests(SynchronousTestCase):
    """The sentence that travels with the status."""

    def test_unchanged(self) -> None:
        """A sentence of a usual length arrives as it is."""
        self.assertEqual(wire_detail(InvalidRequest("uid is 0 (Größe)")), "uid is 0 (Größe)")

    def test_long(self) -> None:
        """A sentence that quotes megabytes is cut, since the header would be refused."""
        quoted = "x" * 10_000_000
        detail = wire_detail(InvalidRequest(f"frame {quoted} doesn't run here"))
        self.assertEqual(len(detail), MAX_DETAIL + len("..."))
        self.assertRegex(detail, r"^frame x+\.\.\.x+ doesn't run here$")

    def test_undecodable(self) -> None:
        """A file name that is no UTF-8 doesn't spoil the answer."""
        self.assertEqual(wire_detail(InvalidRequest("/tmp/\udcff")), "/tmp/?")
