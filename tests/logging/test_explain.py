"""The explanation of a log that can't be opened."""

from __future__ import annotations

import errno
import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.explain import explain


class ExplainTests(SynchronousTestCase):
    """``explain``."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder, 0o750)
        self.mountinfo = os.path.join(self.folder, "mountinfo")
        with open(self.mountinfo, "w") as file:
            file.write(f"1 0 0:1 / {self.folder} rw - nfs4 server:/export rw\n")

    def explain(self, path: str, number: int) -> str:
        return explain(path, OSError(number, os.strerror(number), path), self.mountinfo)

    def test_facts(self) -> None:
        """Error, agent, deepest folder and file system are named."""
        text = self.explain(self.folder + "/no/such/log", errno.EACCES)
        for part in (
            f"The log {self.folder}/no/such/log cannot be opened",
            "EACCES, Permission denied",
            f"effective uid {os.geteuid()}, gid {os.getegid()}",
            f"Folder: {self.folder} (the deepest that exists)",
            f"owner uid {os.geteuid()}, gid",
            "mode drwxr-x---, writable",
            f"File system: nfs4 from server:/export, mounted at {self.folder}",
            "root_squash",
        ):
            self.assertIn(part, text)

    def test_stale(self) -> None:
        """A stale NFS handle has a hint."""
        self.assertIn(
            "Hint: The NFS handle is stale", self.explain(self.folder + "/l", errno.ESTALE)
        )

    def test_file_in_the_way(self) -> None:
        """A file where a folder should be is no obstacle to the explanation."""
        text = self.explain(self.mountinfo + "/log", errno.ENOTDIR)
        self.assertIn(f"Folder: {self.mountinfo}", text)

    def test_no_path(self) -> None:
        """Not even an impossible name is one."""
        text = explain("/a\0b/c", ValueError("embedded null byte"), self.mountinfo)
        self.assertIn("ValueError, embedded null byte", text)
        self.assertIn("cannot be examined", text)
