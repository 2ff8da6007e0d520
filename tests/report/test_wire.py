"""Messages made of serialised parts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import report_pb2
from rqd.report import wire


class FieldTests(SynchronousTestCase):
    """L{wire.field} writes what protobuf would."""

    def test_any_length(self) -> None:
        """A part of any length."""
        for length in (0, 1, 100, 127, 128, 20_000, 3_000_000):
            frame = report_pb2.RunningFrameInfo(job_name="j" * length)
            report = report_pb2.HostReport(frames=[frame])
            number = report_pb2.HostReport.FRAMES_FIELD_NUMBER
            self.assertEqual(
                wire.field(number, frame.SerializeToString()), report.SerializeToString()
            )

    def test_large_number(self) -> None:
        """A field whose key has more than a byte is read as that field."""
        unknown = wire.field(3000, b"x")
        self.assertEqual(report_pb2.HostReport.FromString(unknown).SerializeToString(), unknown)
