"""What frames used, over a restart."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.highwater import NAME, PAUSE, HighWater, load
from rqd.system.usage import FrameUsage
from tests.frame.fakes import Workers


class _Frame:
    def __init__(self, key: str, usage: FrameUsage) -> None:
        self.key = key
        self.usage = usage


class HighWaterTests(SynchronousTestCase):
    """``HighWater`` and ``load``."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / NAME
        self.reactor, self.workers = Clock(), Workers()
        self.frames: list[_Frame] = []
        self.high_water = HighWater(
            str(self.folder),
            reactor=self.reactor,
            workers=self.workers,
            frames=lambda: self.frames,  # type: ignore[arg-type,return-value]
        )

    def test_kept(self) -> None:
        """The maxima are found again, the rest is not."""
        usage = FrameUsage(rss=5, max_rss=10, max_pss=9, max_vsize=11, max_gpu=3, pcpu=0.5)
        self.frames = [_Frame("f.1", usage)]
        self.high_water.look()
        found = load(str(self.folder))
        most = FrameUsage(max_rss=10, max_pss=9, max_vsize=11, max_gpu=3)
        self.assertEqual(found, {"f.1": most})
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_now_and_then(self) -> None:
        """One write in a while, and none where nothing is new."""
        self.high_water.look()
        self.assertFalse(self.path.exists())
        self.frames = [_Frame("f.1", FrameUsage(max_rss=1))]
        self.high_water.look()
        self.frames = [_Frame("f.1", FrameUsage(max_rss=2))]
        self.high_water.look()
        self.assertEqual(load(str(self.folder))["f.1"].max_rss, 1)
        self.reactor.advance(PAUSE)
        self.high_water.look()
        self.assertEqual(load(str(self.folder))["f.1"].max_rss, 2)

    def test_no_frames(self) -> None:
        """The file goes with the last frame, also one that an earlier agent left."""
        self.path.write_text("an earlier agent's")
        for frames in ([], [_Frame("f.1", FrameUsage(max_rss=1))], []):
            self.frames = frames
            self.high_water.look()
            self.assertEqual(self.path.exists(), bool(frames))

    def test_trouble(self) -> None:
        """A disk that takes nothing is spoken of once, and is tried again."""
        self.workers.broken["state"] = OSError(28, "full")
        for number in range(3):
            self.frames = [_Frame("f.1", FrameUsage(max_rss=number + 1))]
            self.reactor.advance(PAUSE)
            self.high_water.look()
        self.workers.broken.clear()
        self.reactor.advance(PAUSE)
        self.high_water.look()
        self.assertEqual(load(str(self.folder))["f.1"].max_rss, 3)

    def test_nothing(self) -> None:
        """Nothing is known where there is no file."""
        self.assertEqual(load(str(self.folder)), {})

    @given(st.binary() | st.sampled_from([b"{}", b'{"version":1,"frames":{"f":[1,2,3,-4]}}']))
    def test_senseless(self, text: bytes) -> None:
        """What makes no sense is no reason not to start."""
        self.path.write_bytes(text)
        self.path.chmod(0o600)
        self.assertEqual(load(str(self.folder)), {})
