"""Requests like a Cuebot's."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.booking import Booker
from dummy_cuebot.schedule import Schedule
from tests.dummy_cuebot.examples import a_job, a_layer

# What a real Cuebot puts into a frame's environment.
CUEBOT_VARIABLES = {
    "CUE3", "CUE_CHUNK", "CUE_FRAME", "CUE_FRAME_ID", "CUE_GPUS", "CUE_GPU_MEMORY", "CUE_IFRAME",
    "CUE_JOB", "CUE_JOB_ID", "CUE_LAYER", "CUE_LAYER_ID", "CUE_LOG_PATH", "CUE_MEMORY",
    "CUE_RANGE", "CUE_SHOT", "CUE_SHOW", "CUE_THREADABLE", "CUE_THREADS", "CUE_USER",
}  # fmt: skip


class Requests(SynchronousTestCase):
    def setUp(self) -> None:
        layer = a_layer(
            last=70, chunk=18, command="x {frame} {frame_end} {zframe}", environment={"A": "b"}
        )
        schedule = Schedule(a_job(layer))
        booker = Booker(a_job(layer), clock=lambda: 12.5)
        self.frames = schedule.frames
        self.first = booker.request(self.frames[0], "r1")
        self.last = booker.request(self.frames[-1], "r2")

    def test_environment(self) -> None:
        """The frame gets a Cuebot's variables, and the layer's own."""
        self.assertEqual(set(self.first.environment), CUEBOT_VARIABLES | {"A"})
        self.assertEqual(self.last.environment["CUE_IFRAME"], "55")
        self.assertEqual(self.last.environment["CUE_FRAME"], "0055-render")

    def test_command(self) -> None:
        """The braces of a frame are filled; the last chunk ends with the range."""
        self.assertEqual((self.first.command, self.last.command), ("x 1 18 0001", "x 55 70 0055"))

    def test_limits(self) -> None:
        """Limits are KiB: 1.6 and 2 times the layer's memory; times are milliseconds."""
        self.assertEqual(
            (self.first.soft_memory_limit, self.first.hard_memory_limit, self.first.start_time),
            (419430, 524288, 12500),
        )

    def test_names_and_ids(self) -> None:
        """Frames of one layer share job and layer, not frame and resource; the uid is sent."""
        self.assertEqual(self.first.job_name, "show-shot-artist_j")
        self.assertEqual(
            self.first.log_dir,
            f"/logs/show/shot/logs/show-shot-artist_j--{self.first.job_id}",
        )
        self.assertEqual(self.first.layer_id, self.last.layer_id)
        self.assertNotEqual(self.first.frame_id, self.last.frame_id)
        self.assertEqual((self.first.HasField("uid"), self.first.uid), (True, 1001))
