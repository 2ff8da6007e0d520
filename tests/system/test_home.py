"""The place that is kept for frames."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.cgroups import CgroupTree, own_group
from rqd.system.enclosing import enclosing_groups
from rqd.system.home import OWN, VARIABLE, Home, find_home

FRAMES = "/openrqd.slice/openrqd-frames.service"
OURS = "/system.slice/openrqd.service"


class HomeTests(SynchronousTestCase):
    """``find_home``, on a host with systemd's own tree of version 1 and one of version 2."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).resolve()
        self.proc = self.base / "proc"
        (self.proc / "self").mkdir(parents=True)
        self.membership = self.base / "cgroup"
        mounts = ""
        for name in ("unified", "systemd", "memory"):
            kind = "cgroup2 cgroup2 rw" if name == "unified" else f"cgroup cgroup rw,{name}"
            if name == "systemd":
                kind = "cgroup cgroup rw,xattr,name=systemd"
            mounts += f"3 2 0:2 / {self.base / name} rw - {kind}\n"
            for path in (OURS, FRAMES):
                folder = Path(f"{self.base / name}{path}")
                folder.mkdir(parents=True)
                (folder / "cgroup.procs").write_text("")
                (folder / "cgroup.controllers").write_text("cpu\n")
        (self.proc / "self" / "mountinfo").write_text(mounts)
        (self.proc / "self" / "cgroup").write_text(self.groups(OURS, memory="/"))
        self.membership.write_text(self.groups(FRAMES, memory="/"))

    def groups(self, path: str, memory: str) -> str:
        return f"2:memory:{memory}\n1:name=systemd:{path}\n0::{path}\n"

    def home(self) -> Home:
        return find_home({VARIABLE: str(self.membership)}, str(self.proc))

    def test_none(self) -> None:
        """Where none is kept, frames live below the agent."""
        self.assertEqual(find_home({}, str(self.proc)), Home(OWN, ()))

    def test_kept(self) -> None:
        """The place that its own process wrote down; trees where it is no other have no part."""
        systemd = f"{self.base}/systemd{FRAMES}"
        self.assertEqual(self.home(), Home(str(self.membership), (systemd,)))

    def test_limits(self) -> None:
        """A controller of version 1 that is on for the place takes frames in, too."""
        self.membership.write_text(self.groups(FRAMES, memory=FRAMES))
        self.assertIn(f"{self.base}/memory{FRAMES}", self.home().beside)

    def test_gone(self) -> None:
        """A place that nobody wrote down is none."""
        self.membership.unlink()
        self.assertEqual(self.home(), Home())

    def test_read_only(self) -> None:
        """Nobody is sent where nobody may go."""
        os.unlink(f"{self.base}/systemd{FRAMES}/cgroup.procs")
        self.assertEqual(self.home().beside, ())

    def test_tree(self) -> None:
        """Groups are made there, and what bounds it is what bounds frames."""
        home = self.home().membership
        place = self.base / f"unified{FRAMES}"
        self.assertEqual(own_group(str(self.proc), home), place)
        tree = CgroupTree.open("frames", proc_root=str(self.proc), membership=home)
        assert tree is not None
        self.assertEqual(tree.create("a"), place / "frames" / "a")
        shutil.rmtree(place / "frames")
        self.assertTrue(tree.create("b").is_dir(), "not made anew")
        self.membership.write_text(self.groups(FRAMES, memory=FRAMES))
        found = enclosing_groups("memory", proc_root=str(self.proc), membership=home)
        self.assertEqual(found.folders[0], f"{self.base}/memory{FRAMES}")

    def test_memory(self) -> None:
        """Where the place has the memory controller, the kernel counts for each frame.

        What keeps the place open has to leave it for that.
        """
        place = self.base / f"unified{FRAMES}"
        (place / "cgroup.controllers").write_text("cpu memory\n")
        (place / "cgroup.procs").write_text("41\n")
        (place / "keeper").mkdir()
        (place / "keeper" / "cgroup.procs").write_text("")
        CgroupTree.open("frames", proc_root=str(self.proc), membership=self.home().membership)
        self.assertEqual((place / "keeper" / "cgroup.procs").read_text(), "41")
        for group in (place, place / "frames"):
            self.assertEqual((group / "cgroup.subtree_control").read_text(), "+memory")
