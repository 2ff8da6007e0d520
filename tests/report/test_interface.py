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

    def setUp(self) -> None:
        self.client = _Client()
        self.cuebot = ReportInterface(
            self.client,  # type: ignore[arg-type]
            completion_timeout=1.0,
        )

    def test_equal_bytes(self) -> None:
        """A report is sent as the bytes that it is kept as, whatever order its maps have."""
        for names in (_NAMES, _NAMES[::-1]):
            report = _report(names)
            self.cuebot.completion(report)
            self.assertTrue(self.client.requests[-1].endswith(report))

    def test_any_length(self) -> None:
        """The request is that which protobuf would make."""
        for length in (0, 1, 100, 127, 128, 20_000, 3_000_000):
            report = report_pb2.FrameCompleteReport()
            report.frame.job_name = "j" * length
            request = report_pb2.RqdReportRunningFrameCompletionRequest()
            request.frame_complete_report.CopyFrom(report)
            self.cuebot.completion(report.SerializeToString())
            self.assertEqual(self.client.requests[-1], request.SerializeToString())
