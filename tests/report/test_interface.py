"""The calls to Cuebot: what is in them."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import report_pb2
from rqd.report.interface import ReportInterface

_NAMES = [f"attribute {number}" for number in range(100)]


class _Client:
    """Remembers what is called."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        self.requests.append(request)
        return Deferred()


def _report(names: list[str]) -> bytes:
    """A completion whose host has these attributes, serialised in that order."""
    parts = []
    for name in names:
        part = report_pb2.FrameCompleteReport(exit_status=3)
        part.host.attributes[name] = "value"
        parts.append(part.SerializeToString())
    return b"".join(parts)


class CompletionTests(SynchronousTestCase):
    """What a completion looks like on the wire."""

    def test_equal_bytes(self) -> None:
        """A report is sent as the same bytes by whichever agent: maps have one order only."""
        client = _Client()
        cuebot = ReportInterface(client, completion_timeout=1.0)  # type: ignore[arg-type]
        cuebot.completion(_report(_NAMES))
        cuebot.completion(_report(_NAMES[::-1]))
        once, again = client.requests
        self.assertEqual(once, again)
