"""One agent for one state folder.

Two agents on the same records would both report, remove and adopt the same frames. So an agent
locks a file in the folder before it touches anything else. The kernel gives the lock back when the
agent is dead, however it died; the file stays, and tells who holds it or held it last.

::

    <snapshots_path>/lock             0600, locked with flock; one JSON object
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import sys
import time
from typing import NamedTuple

from rqd.system.identity import identity

NAME = "lock"
#: What file systems answer that have no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
#: Characters of a command line that are told.
_LONGEST = 1000


class Held(Exception):
    """Another agent has the folder.

    The message is a sentence that begins with who it is: twistd cuts off what is long.
    """

    def __init__(self, folder: str, holder: Holder | None) -> None:
        if holder is None:
            who, more = "that has not said yet who it is", ""
        else:
            who = f"pid {holder.pid} on {holder.host}"
            more = f", since {holder.since}, command line {holder.command!r}"
        super().__init__(f"another agent, {who}, holds the state folder {folder}{more}")


class Holder(NamedTuple):
    """A process that holds a folder; ``since`` is a local time, ``ticks`` its start."""

    host: str
    pid: int
    ticks: int
    since: str
    command: str

    @property
    def known_to_be_dead(self) -> bool:
        """Then it is somebody else who holds the lock now."""
        if self.host != socket.gethostname():
            return False
        found = identity(self.pid)
        return found is None or found.start_ticks != self.ticks


def _parse(text: bytes) -> Holder:
    """Raises ValueError; anybody may have written there."""
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("no object")
    host, pid, ticks = content.get("host"), content.get("pid"), content.get("ticks")
    if type(pid) is not int or type(ticks) is not int or not isinstance(host, str):
        raise ValueError("no process")
    return Holder(host, pid, ticks, str(content.get("since")), str(content.get("command")))


def _this_process() -> Holder:
    myself = identity(os.getpid())
    return Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        ticks=myself.start_ticks if myself else 0,
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
        command=" ".join(sys.orig_argv)[:_LONGEST],
    )


class StateFolder:
    """A state folder that is this process's own, until it is released.

    ``problem`` is a sentence for people where that can't be made sure, else empty.
    """

    def __init__(self, path: str) -> None:
        """Make the folder if need be, and take it; raises Held or OSError. Blocks on the disk."""
        os.makedirs(path, mode=0o700, exist_ok=True)
        self._file = os.open(
            os.path.join(path, NAME), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            self.problem = self._lock(path)
            self._sign()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let another agent have it. Descriptors of frames never include this one."""
        os.close(self._file)

    def _lock(self, path: str) -> str:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(path, self._holder()) from None
        except OSError as problem:
            if problem.errno not in _NO_LOCKS:
                raise
            return (
                f"the file system of the state folder {path} has no locks ({problem.strerror}):"
                " nothing keeps a second agent from it"
            )
        return ""

    def _holder(self) -> Holder | None:
        """Who it is, as far as the file tells; it may be older than the lock."""
        try:
            holder = _parse(os.pread(self._file, 16 << 10, 0))
        except (OSError, ValueError):
            return None
        return None if holder.known_to_be_dead else holder

    def _sign(self) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, json.dumps(_this_process()._asdict()).encode(), 0)
