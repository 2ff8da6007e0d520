"""Frames whose logs are wanted in Loki."""

from __future__ import annotations

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.loki import LokiNotice
from tests.report.facts import frame_spec


class LokiNoticeTests(SynchronousTestCase):
    """L{LokiNotice}."""

    def test_once(self) -> None:
        """That logs go to files is said once, and without the address."""
        notice = LokiNotice()
        with capturedLogs() as said:
            for number in range(3):
                url = "http://user:password@loki:3100"
                notice.heed(frame_spec(frame_id=f"frame-{number}", loki_url=url))
        (event,) = said
        self.assertEqual(event["frame_id"], "frame-0")
        self.assertNotIn("password", str(event))

    def test_files(self) -> None:
        """Nothing is said of frames that want a file."""
        with capturedLogs() as said:
            LokiNotice().heed(frame_spec(loki_url=""))
        self.assertEqual(said, [])
