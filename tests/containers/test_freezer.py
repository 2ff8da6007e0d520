"""L{thaw}."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.containers.freezer import thaw


class ThawTests(SynchronousTestCase):
    """The group of a process that was paused, in either kind of tree."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).resolve()
        self.proc, self.tree = self.folder / "proc", self.folder / "tree"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "7").mkdir()
        (self.tree / "engine/c1").mkdir(parents=True)

    def is_in(self, membership: str, kind: str) -> None:
        """Process 7 is in the group."""
        line = f"1 1 0:1 / {self.tree} rw - {kind}\n"
        (self.proc / "self/mountinfo").write_text(line)
        (self.proc / "7/cgroup").write_text(membership)

    def written(self, name: str) -> str:
        thaw(7, proc_root=str(self.proc))
        return (self.tree / "engine/c1" / name).read_text()

    def test_version_1(self) -> None:
        """It has a freezer of its own."""
        self.is_in("9:freezer:/engine/c1\n", "cgroup cgroup rw,freezer")
        self.assertEqual(self.written("freezer.state"), "THAWED")

    def test_version_2(self) -> None:
        """Each group can be frozen there."""
        self.is_in("0::/engine/c1\n", "cgroup2 cgroup2 rw")
        self.assertEqual(self.written("cgroup.freeze"), "0")

    def test_gone(self) -> None:
        """What has ended is left alone."""
        thaw(8, proc_root=str(self.proc))
