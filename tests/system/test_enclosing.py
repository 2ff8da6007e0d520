"""Where the control groups that enclose this process are."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.enclosing import Enclosing, enclosing_groups
from tests.system.fake_groups import FakeGroups


class EnclosingTests(SynchronousTestCase):
    """``enclosing_groups``."""

    def setUp(self) -> None:
        self.groups = FakeGroups(self.mktemp())

    def found(self, controller: str = "memory") -> Enclosing:
        return enclosing_groups(controller, proc_root=self.groups.proc_root)

    def assert_found(self, version: int, *paths: str) -> None:
        folders = tuple(self.groups.folder(path) for path in paths)
        self.assertEqual(self.found(), Enclosing(version, folders))

    def test_service(self) -> None:
        """A service on the machine itself: its group, and those above it up to the root."""
        self.groups.unified("/system.slice/agent.service")
        self.assert_found(
            2, "unified/system.slice/agent.service", "unified/system.slice", "unified"
        )

    def test_container_with_its_own_view(self) -> None:
        """In a container that sees its group as the root, that is all there is."""
        self.groups.unified("/")
        self.assert_found(2, "unified")

    def test_container_that_knows_where_it_is(self) -> None:
        """What is above the container's mount can't be seen, though the path tells of it."""
        self.groups.version_1("memory", "/docker/0abc", root="/docker/0abc")
        self.assert_found(1, "memory")

    def test_group_within_a_container(self) -> None:
        """A group below the container's is found in what the mount shows."""
        self.groups.version_1("memory", "/docker/0abc/agent", root="/docker/0abc")
        self.assert_found(1, "memory/agent", "memory")

    def test_version_1(self) -> None:
        """Controllers that share a tree, and a tree that carries none, are told apart."""
        self.groups.version_1("name=systemd", "/elsewhere")
        self.groups.version_1("cpu,cpuacct", "/farm")
        self.groups.version_1("memory", "/user.slice")
        self.assert_found(1, "memory/user.slice", "memory")
        self.assertEqual(self.found("cpuacct").folders[0], self.groups.folder("cpu,cpuacct/farm"))

    def test_both_versions(self) -> None:
        """A controller that version 1 has is not looked for in version 2."""
        self.groups.unified("/agent")
        self.groups.version_1("memory", "/other")
        self.assert_found(1, "memory/other", "memory")
        self.assertEqual(self.found("cpu").version, 2)

    def test_widest_view(self) -> None:
        """Of several mounts of a tree the one that shows most of what is above is taken."""
        self.groups.member("0::/a/b")
        self.groups.mount("narrow", "cgroup2", "rw", root="/a/b")
        self.groups.mount("wide", "cgroup2", "rw")
        self.groups.mount("strange", "cgroup2", "rw", root="/c")
        self.assert_found(2, "wide/a/b", "wide/a", "wide")

    def test_name_that_begins_alike(self) -> None:
        """A group is not below another whose name its own begins with."""
        self.groups.unified("/docker/abcdef", root="/docker/abc")
        self.assert_found(2)

    def test_outside(self) -> None:
        """A process that is outside of what its view shows has no folders."""
        self.groups.unified("/../elsewhere")
        self.assert_found(2)

    def test_nothing_mounted(self) -> None:
        """So it is where no tree is mounted, and where there is no such file."""
        self.groups.member("0::/agent")
        self.assert_found(2)
        self.assertEqual(enclosing_groups("memory", proc_root=self.mktemp()), Enclosing(2))

    def test_this_process(self) -> None:
        """On the real machine all folders that are found are there."""
        for controller in ("memory", "cpu"):
            for folder in enclosing_groups(controller).folders:
                self.assertTrue(os.path.isdir(folder), folder)

    @settings(deadline=None)
    @given(st.binary(max_size=200), st.binary(max_size=200))
    def test_any_text(self, cgroup: bytes, mountinfo: bytes) -> None:
        """Files that are nonsense are no groups; nothing is raised."""
        for name, text in (("cgroup", cgroup), ("mountinfo", mountinfo + b" - cgroup2 x x\n")):
            with open(f"{self.groups.proc_root}/self/{name}", "wb") as file:
                file.write(text)
        self.assertIn(self.found().version, (1, 2))
