"""GPU memory of frames."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.gpuusage import GpuUsage
from rqd.system.usage import EMPTY_USAGE
from tests.report.facts import process_sample, usage


class GpuUsageTests(SynchronousTestCase):
    """``GpuUsage``."""

    def setUp(self) -> None:
        self.gpus = GpuUsage()
        self.usages = {
            "a": usage(process_sample(pid=10), process_sample(pid=11)),
            "b": usage(process_sample(pid=12)),
        }

    def add(self, by_pid: dict[int, int]) -> dict[str, tuple[int, int]]:
        """Now and at most, by frame."""
        usages = self.gpus.add(self.usages, by_pid)
        return {key: (each.gpu, each.max_gpu) for key, each in usages.items()}

    def test_sums(self) -> None:
        """A frame has what its processes have; those of others count for nobody."""
        found = self.add({10: 100, 11: 20, 99: 4000})
        self.assertEqual(found, {"a": (120, 120), "b": (0, 0)})

    def test_most(self) -> None:
        """The most never falls, also when the driver knows of no process any more."""
        self.add({10: 100})
        self.assertEqual(self.add({10: 70})["a"], (70, 100))
        self.assertEqual(self.add({})["a"], (0, 100))

    def test_rest_stays(self) -> None:
        """Everything else of a frame's usage stays as it was sampled."""
        found = self.gpus.add(self.usages, {10: 100})
        self.assertEqual(found["a"].max_rss, self.usages["a"].max_rss)
        self.assertIs(found["b"], self.usages["b"])

    def test_no_gpus(self) -> None:
        """Where no process is on a GPU nothing is done."""
        self.assertIs(self.gpus.add(self.usages, {}), self.usages)

    def test_never_sampled(self) -> None:
        """A frame that no pass has seen has nothing."""
        self.usages = {"a": EMPTY_USAGE}
        self.assertEqual(self.add({10: 100}), {"a": (0, 0)})

    def test_forgotten(self) -> None:
        """A frame that is over is forgotten, its mark with it."""
        self.add({10: 100})
        both, self.usages = self.usages, {"b": self.usages["b"]}
        self.add({})
        self.usages = both
        self.assertEqual(self.add({})["a"], (0, 0))
