"""Control groups: where they are, and what is asked and done with one."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.system import cgroups
from rqd.system.cgroups import CgroupTree, own_group, tree_name

#: No process has such a pid: the kernel stops at 2^22.
NOBODY = 1 << 23


class TreeCase(SynchronousTestCase):
    """A C{/proc} that tells of a mounted tree, and that tree."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).resolve()
        self.proc, self.mount = self.base / "proc", self.base / "cgroup"
        self.own = self.mount / "system.slice" / "agent.service"
        (self.proc / "self").mkdir(parents=True)
        self.own.mkdir(parents=True)
        self.say(
            f"24 1 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"
            f"30 24 0:26 / {self.mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
            "0::/system.slice/agent.service\n",
        )

    def say(self, mounts: str, groups: str) -> None:
        (self.proc / "self" / "mountinfo").write_text(mounts)
        (self.proc / "self" / "cgroup").write_text(groups)

    def open(self) -> CgroupTree | None:
        return CgroupTree.open("frames", proc_root=str(self.proc))


class TreeNameTests(SynchronousTestCase):
    """L{tree_name}."""

    def test_folder(self) -> None:
        """Agents with state folders of their own share no control groups; spelling is no matter."""
        folder = self.mktemp()
        self.assertEqual(tree_name(folder), tree_name("./" + folder))
        self.assertNotEqual(tree_name(folder), tree_name(folder + "2"))


class OwnGroupTests(TreeCase):
    """L{own_group}."""

    def found(self) -> Path | None:
        return own_group(str(self.proc))

    def test_unified(self) -> None:
        """Where version 2 is the only one, the agent's own group is found below its mount."""
        self.assertEqual(self.found(), self.own)

    def test_beside_version_1(self) -> None:
        """Where it stands beside version 1, it is told from that."""
        self.say(
            "29 24 0:25 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
            f"30 24 0:26 / {self.mount} rw - cgroup2 cgroup2 rw\n",
            "12:memory:/user.slice\n1:name=systemd:/user.slice\n0::/system.slice\n",
        )
        self.assertEqual(self.found(), self.mount / "system.slice")

    def test_root(self) -> None:
        """The root of a container's tree is a group like others."""
        self.say(f"30 24 0:26 / {self.mount} rw - cgroup2 cgroup2 rw\n", "0::/\n")
        self.assertEqual(self.found(), self.mount)

    def test_not_mounted(self) -> None:
        """Without a mount there is none."""
        self.say("24 1 0:22 / /sys rw - sysfs sysfs rw\n", "0::/\n")
        self.assertIsNone(self.found())

    def test_version_1_only(self) -> None:
        """Nor with version 1 alone."""
        self.say(f"30 24 0:26 / {self.mount} rw - cgroup2 cgroup2 rw\n", "1:cpu:/\n")
        self.assertIsNone(self.found())


class CgroupTreeTests(TreeCase):
    """L{CgroupTree}."""

    def test_open(self) -> None:
        """The tree stands below the agent's own group."""
        self.assertIsNotNone(self.open())
        self.assertEqual(os.listdir(self.own / "frames"), [])

    def test_open_again(self) -> None:
        """An agent finds the tree of the one before it."""
        first, second = self.open(), self.open()
        assert first is not None and second is not None
        path = first.create("key")
        self.assertEqual(second.find("key"), path)

    def test_not_there(self) -> None:
        """Without control groups there is no tree."""
        self.say("", "")
        self.assertIsNone(self.open())

    def test_not_writable(self) -> None:
        """Where groups can't be made there is none either."""
        self.own.rmdir()
        self.own.write_text("")
        self.assertIsNone(self.open())

    def test_create(self) -> None:
        """Each frame has a group of its own, never somebody else's."""
        tree = self.open()
        assert tree is not None
        self.assertTrue(tree.create("a").is_dir())
        self.assertRaises(FileExistsError, tree.create, "a")

    def test_find_nothing(self) -> None:
        """A frame that never had a group has none."""
        tree = self.open()
        assert tree is not None
        self.assertIsNone(tree.find("a"))

    def test_close(self) -> None:
        """An empty tree goes with the agent; one that holds a frame stays for the next."""
        tree = self.open()
        assert tree is not None
        group = tree.create("a")
        tree.close()
        self.assertTrue(group.is_dir())
        group.rmdir()
        tree.close()
        self.assertFalse((self.own / "frames").exists())


class GroupTests(SynchronousTestCase):
    """What is asked of one group."""

    def setUp(self) -> None:
        self.group = Path(self.mktemp())
        self.group.mkdir()

    def write(self, name: str, text: str) -> None:
        (self.group / name).write_text(text)

    def test_members(self) -> None:
        """The pids that the kernel lists."""
        self.write("cgroup.procs", "12\n345\n")
        self.assertEqual(cgroups.members(self.group), [12, 345])
        self.write("cgroup.procs", "")
        self.assertEqual(cgroups.members(self.group), [])

    def test_members_of_nothing(self) -> None:
        """A group that is gone has none."""
        self.assertEqual(cgroups.members(self.group / "gone"), [])

    def test_populated(self) -> None:
        """The kernel says whether anything lives in it or below it."""
        self.write("cgroup.events", "populated 1\nfrozen 0\n")
        self.assertTrue(cgroups.is_populated(self.group))
        self.write("cgroup.events", "populated 0\nfrozen 1\n")
        self.assertFalse(cgroups.is_populated(self.group))
        self.assertFalse(cgroups.is_populated(self.group / "gone"))

    def test_kill(self) -> None:
        """The kernel kills all at once where it knows how to."""
        self.write("cgroup.kill", "")
        cgroups.kill(self.group)
        self.assertEqual((self.group / "cgroup.kill").read_text(), "1")

    def test_kill_without_kernel(self) -> None:
        """An older kernel's groups are killed one by one; the switch is not made where it isn't."""
        self.write("cgroup.procs", f"{NOBODY}\n")
        cgroups.kill(self.group)
        self.assertEqual(os.listdir(self.group), ["cgroup.procs"])

    def test_kill_frozen(self) -> None:
        """Where they can be frozen, they are first, so that none forks."""
        self.write("cgroup.procs", f"{NOBODY}\n")
        self.write("cgroup.freeze", "0\n")
        cgroups.kill(self.group)
        self.assertEqual((self.group / "cgroup.freeze").read_text(), "1\n")

    def test_kill_nothing(self) -> None:
        """A group that is gone holds nobody to kill."""
        cgroups.kill(self.group / "gone")

    def test_remove(self) -> None:
        """An empty group is removed, one that is gone is as good as that."""
        self.assertTrue(cgroups.remove(self.group))
        self.assertTrue(cgroups.remove(self.group))

    def test_remove_alive(self) -> None:
        """One in which something lives is not."""
        self.write("cgroup.procs", "1\n")
        self.assertFalse(cgroups.remove(self.group))
