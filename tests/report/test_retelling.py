"""What is told of frames again and again."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import report_pb2
from rqd.report.messages import FrameFacts, running_frame
from rqd.report.retelling import Retelling
from rqd.report.statistics import put_into_words
from rqd.system.usage import FrameUsage
from tests.report.facts import frame_spec


def facts(frame_id: str, **changes: object) -> FrameFacts:
    return FrameFacts(frame_spec(frame_id=frame_id), 5.0)._replace(**changes)


class RetellingTests(SynchronousTestCase):
    """L{Retelling}."""

    def setUp(self) -> None:
        self.retelling = Retelling()

    def check(self, frames: Iterable[FrameFacts]) -> None:
        """They are told as if for the first time."""
        told = report_pb2.HostReport.FromString(self.retelling.tell(frames))
        self.assertEqual(list(told.frames), [running_frame(frame) for frame in frames])

    def test_again(self) -> None:
        """What has not changed is told in the same words; each frame, in their order."""
        frames = [facts("a"), facts("b")]
        self.check(frames)
        self.assertEqual(self.retelling.tell(frames), self.retelling.tell(frames))
        self.check(frames[::-1])

    def test_changed(self) -> None:
        """Whatever has changed is told anew."""
        frame = facts("a")
        self.check([frame])
        for changed in (
            frame._replace(usage=FrameUsage(rss=7)),
            frame._replace(last_output=9.0),
            frame._replace(started_at=6.0),
            frame._replace(attributes={"why": "so"}),
        ):
            self.check([changed])
            self.check([frame])

    def test_one(self) -> None:
        """One frame is told as it is, whether it was told before or not."""
        frame = facts("a", usage=FrameUsage(rss=7))
        for _ in range(2):
            one = report_pb2.RunningFrameInfo.FromString(self.retelling.one(frame))
            self.assertEqual(one, running_frame(frame))
            self.retelling.tell([frame])

    def test_kept_once(self) -> None:
        """Words that the sampling worker made ahead are not kept twice."""
        frame = facts("a", usage=FrameUsage(rss=7))
        put_into_words(frame.usage)
        self.check([frame])
        self.assertEqual(frame.usage.told, b"")

    def test_come_and_gone(self) -> None:
        """Frames come and go, also one that runs again under its id."""
        first, again, other = facts("a"), facts("a", started_at=8.0), facts("b")
        for frames in ([first], [first, other], [other], [], [again, other]):
            self.check(frames)
