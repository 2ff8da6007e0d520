"""Which processors a control group allows."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.cpuset import allowed_processors
from rqd.system.enclosing import enclosing_groups
from tests.system.fake_groups import FakeGroups


class CpusetTests(SynchronousTestCase):
    """``allowed_processors``."""

    def setUp(self) -> None:
        self.groups = FakeGroups(self.mktemp())

    def allowed(self) -> frozenset[int] | None:
        return allowed_processors(enclosing_groups("cpuset", proc_root=self.groups.proc_root))

    def test_version_2(self) -> None:
        """The innermost group that has the controller counts."""
        self.groups.unified("/openrqd.slice/frames.service")
        self.groups.write("unified/openrqd.slice", {"cpuset.cpus.effective": "0-2,7"})
        self.assertEqual(self.allowed(), {0, 1, 2, 7})
        self.groups.write("unified/openrqd.slice/frames.service", {"cpuset.cpus.effective": "1"})
        self.assertEqual(self.allowed(), {1})

    def test_version_1(self) -> None:
        """Version 1 has another name for it."""
        self.groups.version_1("cpuset", "/frames")
        self.groups.write("cpuset/frames", {"cpuset.effective_cpus": "3,5"})
        self.assertEqual(self.allowed(), {3, 5})

    def test_none(self) -> None:
        """Where nobody tells, or nothing that makes sense, nothing is bounded."""
        self.assertIsNone(self.allowed())
        self.groups.unified("/frames.service")
        self.assertIsNone(self.allowed())
        self.groups.write("unified/frames.service", {"cpuset.cpus.effective": ""})
        self.assertIsNone(self.allowed())
