"""What the frame log tests share: real logs on the real reactor, and programs that print."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rqd.blanks import Blanks
from rqd.logging.framelogs import FrameLogs
from rqd.logging.interfaces import IFrameLog
from rqd.logging.mounts import MountWorkers
from rqd.logging.mounttable import Mount, MountTable
from rqd.logging.wakeups import Wakeups

STAMP = re.compile(rb"(?m)^\[\d\d:\d\d:\d\d\] ")
HEADER, FOOTER = b"header\n", b"footer\n"


def unstamped(text: bytes) -> bytes:
    """What the frame printed, of a whole log."""
    if not (text.startswith(HEADER) and text.endswith(FOOTER)):
        raise AssertionError(f"header or footer missing: {text[:20]!r} ... {text[-20:]!r}")
    return STAMP.sub(b"", text[len(HEADER) : -len(FOOTER)])


class RemoteMounts(MountTable):
    """Every mount is said to be on the network."""

    def mount_of(self, path: str) -> Mount:
        return super().mount_of(path)._replace(fstype="nfs4")


class LogRoom:
    """The logging room, in a folder of its own.

    ``direct``: frames write to their logs themselves. ``remote``: each mount passes for one that
    reports errors late.
    """

    def __init__(
        self, folder: str, *, max_size: int = 0, direct: bool = False, remote: bool = False
    ) -> None:
        self.folder = os.path.abspath(folder)
        self._direct = direct
        os.makedirs(self.folder, exist_ok=True)
        table = RemoteMounts() if remote else MountTable()
        self.workers = MountWorkers(reactor=reactor, table=table)
        self.wakeups = Wakeups(reactor=reactor)
        self.logs = FrameLogs(
            reactor=reactor,
            workers=self.workers,
            wakeups=self.wakeups,
            table=table,
            blanks=Blanks(self.folder),
            max_size=max_size,
        )

    def stop(self) -> Deferred[None]:
        """Clean-up of a test."""
        self.wakeups.stop()
        return self.workers.stop(5)

    def spool(self, name: str) -> str:
        """Where the frame ``name`` prints; made when first asked for."""
        path = os.path.join(self.folder, name + ".spool")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
        return path

    async def open(self, path: str, too_big=lambda: None) -> IFrameLog:
        """A started log of the frame that ``path`` is named by."""
        return self._started(await self.logs.open(path, HEADER, **self._files(path, too_big)))

    def begin(self, path: str) -> tuple[IFrameLog, Deferred[None]]:
        """A log that is not yet open or started."""
        return self.logs.begin(path, HEADER, **self._files(path, lambda: None))

    async def resume(self, path: str, too_big=lambda: None) -> IFrameLog:
        """The same for an adopted frame."""
        return self._started(await self.logs.resume(path, HEADER, **self._files(path, too_big)))

    def _started(self, log: IFrameLog) -> IFrameLog:
        log.start()
        return log

    def _files(self, path: str, too_big) -> dict:
        name = os.path.basename(path)
        return {
            "spool_path": None if self._direct else self.spool(name),
            "checkpoint_path": os.path.join(self.folder, name + ".checkpoint"),
            "owner": None,
            "too_big": too_big,
        }

    def run(self, path: str, program: str, *args: str) -> subprocess.Popen:
        """Start a Python program whose stdout and stderr are the frame's spool."""
        descriptor = os.open(self.spool(os.path.basename(path)), os.O_WRONLY | os.O_APPEND)
        try:
            return subprocess.Popen(
                [sys.executable, "-c", program, *args],
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
            )
        finally:
            os.close(descriptor)

    def write(self, path: str, text: bytes) -> None:
        """Print ``text`` as the frame."""
        with open(self.spool(os.path.basename(path)), "ab") as spool:
            spool.write(text)


async def until(condition, seconds: float = 30.0) -> None:
    """Let the reactor run until ``condition()`` holds; the time is only a limit for failures."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("did not come to pass")


def read(path: str) -> bytes:
    """All of a file; nothing if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""
