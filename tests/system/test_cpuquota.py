"""Quotas of processor time."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.cpuquota import read_cpu_quota
from rqd.system.enclosing import Enclosing, enclosing_groups
from tests.system.fake_groups import FakeGroups


class QuotaTests(SynchronousTestCase):
    """``read_cpu_quota``."""

    def setUp(self) -> None:
        self.groups = FakeGroups(self.mktemp())

    def quota(self) -> int | None:
        return read_cpu_quota(enclosing_groups("cpu", proc_root=self.groups.proc_root))

    def version_1(self, path: str, quota: int, period: int) -> None:
        self.groups.write(path, {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": period})

    def test_version_2(self) -> None:
        """It is the share of a period, in points; fractions of a processor are kept."""
        self.groups.unified("/")
        for line, points in (("400000 100000", 400), ("150000 100000", 150), ("2900 10000", 29)):
            self.groups.write("unified", {"cpu.max": line})
            self.assertEqual(self.quota(), points)

    def test_version_1(self) -> None:
        """Version 1 has the two numbers in two files."""
        self.groups.version_1("cpu,cpuacct", "/docker/0abc", root="/docker/0abc")
        self.version_1("cpu,cpuacct", 250000, 100000)
        self.assertEqual(self.quota(), 250)

    def test_none(self) -> None:
        """``max``, -1 and groups without the controller are no quota."""
        self.groups.unified("/a/b")
        self.groups.write("unified/a", {"cpu.max": "max 100000"})
        self.assertIsNone(self.quota())
        self.groups.version_1("cpu", "/")
        self.version_1("cpu", -1, 100000)
        self.assertIsNone(self.quota())

    def test_groups_above(self) -> None:
        """The tightest of a group and those above it holds, wherever it is set."""
        self.groups.unified("/pods/pod/container")
        self.groups.write("unified/pods/pod/container", {"cpu.max": "800000 100000"})
        self.groups.write("unified/pods/pod", {"cpu.max": "600000 200000"})
        self.assertEqual(self.quota(), 300)

    def test_nonsense(self) -> None:
        """What can't be read as a quota bounds nothing."""
        self.groups.unified("/")
        for line in ("", "1", "1 2 3", "x y", "100 0", "9" * 5000 + " 1"):
            self.groups.write("unified", {"cpu.max": line})
            self.assertIsNone(self.quota(), line)

    def test_nowhere(self) -> None:
        """Without groups there is no quota."""
        self.assertIsNone(read_cpu_quota(Enclosing(2)))
