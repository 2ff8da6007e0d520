"""Finding a path's mount without touching it."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.mounttable import Mount, MountTable, parse_mountinfo

MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 0:30 / /mnt/nas\\040one rw shared:5 master:1 - nfs4 nas1:/export\\040a rw
41 27 0:31 / /mnt/auto rw - autofs systemd-1 rw
42 41 0:32 / /mnt/auto rw - nfs nas2:/x rw
garbage
"""


class ParseTests(SynchronousTestCase):
    """``parse_mountinfo``."""

    def test_mounts(self) -> None:
        """Optional fields, escapes and nonsense are coped with; the last mount on a point wins."""
        mounts = parse_mountinfo(MOUNTINFO)
        self.assertEqual(mounts["/"], Mount("/", "ext4", "/dev/vda"))
        self.assertEqual(mounts["/mnt/nas one"], Mount("/mnt/nas one", "nfs4", "nas1:/export a"))
        self.assertEqual(mounts["/mnt/auto"], Mount("/mnt/auto", "nfs", "nas2:/x"))
        self.assertEqual(len(mounts), 3)

    def test_local(self) -> None:
        """What isn't known to be a local disk may hang."""
        self.assertTrue(Mount("/", "ext4", "").local)
        for kind in ("nfs4", "cifs", "fuse.sshfs", "lustre", "autofs", "something"):
            self.assertFalse(Mount("/", kind, "").local)


class MountTableTests(SynchronousTestCase):
    """``MountTable`` over a folder that pretends to hold mounts."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        self.nas = os.path.join(self.folder, "mnt", "nas")
        os.makedirs(self.nas)
        mountinfo = os.path.join(self.folder, "mountinfo")
        with open(mountinfo, "w") as file:
            file.write("1 0 0:1 / / rw - ext4 /dev/vda rw\n")
            file.write(f"2 1 0:2 / {self.nas} rw - nfs4 nas:/x rw\n")
        self.table = MountTable(mountinfo)
        self.addCleanup(self.table.close)

    def point(self, *path: str) -> str:
        return self.table.mount_of(os.path.join(self.folder, *path)).point

    def test_longest_prefix(self) -> None:
        """The mount is that of the longest prefix of whole names."""
        self.assertEqual(self.point("mnt", "nas", "a", "b.log"), self.nas)
        self.assertEqual(self.point("mnt", "nasty", "b.log"), "/")
        self.assertEqual(self.point("mnt", "nas"), "/")

    def test_link_to_another_mount(self) -> None:
        """A local link leads to the mount that it points to, relative or not."""
        os.symlink(self.nas, os.path.join(self.folder, "shots"))
        os.symlink("../mnt/nas/sub", os.path.join(self.folder, "mnt", "relative"))
        self.assertEqual(self.point("shots", "a", "b.log"), self.nas)
        self.assertEqual(self.point("mnt", "relative", "b.log"), self.nas)

    def test_links_on_other_mounts_are_left_alone(self) -> None:
        """Nothing on a mount that may hang is looked at: a link there is not followed."""
        os.symlink("/", os.path.join(self.nas, "link"))
        self.assertEqual(self.point("mnt", "nas", "link", "b.log"), self.nas)

    def test_link_loop(self) -> None:
        """A loop of links ends somewhere."""
        os.symlink("loop", os.path.join(self.folder, "loop"))
        self.assertEqual(self.point("loop", "b.log"), "/")

    def test_odd_paths(self) -> None:
        """Dots, doubled slashes, NUL and relative paths have an answer."""
        self.assertEqual(self.point("mnt", ".", "x", "..", "nas", "", "a", "b"), self.nas)
        self.assertEqual(self.point("mnt", "a\0b", "c"), "/")
        self.assertEqual(self.table.mount_of("relative/path").point, "/")
