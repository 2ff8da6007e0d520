"""What frames leave where nobody looks after them any more: files, groups, sessions."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from rqd.frame.ladder import Grace, Ladder
from rqd.frame.members import IMembers
from rqd.log import Logger
from rqd.system.sessions import in_sessions

#: Seconds after which files that no record names are removed, and those that were set aside.
FORGOTTEN, ASIDE = 86400.0, 30 * 86400.0
_OF_FRAMES = (".spool", ".checkpoint")
_BAD = ".bad"

_log = Logger()


def set_aside(path: str, problem: object) -> None:
    """Out of the way, for people to look at; says so."""
    _log.warn("set aside path={path} reason={reason}", path=path, reason=problem)
    with suppress(OSError):
        os.replace(path, path + _BAD)


def is_known(name: str) -> bool:
    """Whether a file of this name may be in the frames' folder, besides records."""
    return name.endswith((*_OF_FRAMES, _BAD))


def orphans(names: Collection[str]) -> list[str]:
    """Files of a launch that died before it had a record, or of a frame that had none any more.

    What belongs to a record that was set aside is left for people to look at, for a while.
    """
    there = set(names)
    kept = [f"{os.path.splitext(name)[0]}.record" for name in names]
    return [
        name
        for name, record in zip(names, kept, strict=True)
        if name.endswith(_OF_FRAMES) and record not in there and record + _BAD not in there
    ]


def remove_orphans(frames: Path, names: Collection[str]) -> None:
    """In a worker; what can't be removed stays for the next agent."""
    for name in names:
        with suppress(OSError):
            (frames / name).unlink()


def is_unbegun(path: str) -> bool:
    """Whether a record was made and not written: its launch was never answered."""
    facts = os.lstat(path)
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid() and not facts.st_size


def remove_old(frames: Path, scripts: str, keys: Collection[str]) -> int:
    """In a worker: remove old files of frames but these; return how many. Raises OSError."""
    now, removed = time.time(), 0
    with os.scandir(frames) as found:
        for entry in found:
            key, suffix = os.path.splitext(entry.name)
            if suffix == _BAD:
                removed += _remove(entry, now - ASIDE)
            elif suffix in _OF_FRAMES and key not in keys:
                removed += _remove(entry, now - FORGOTTEN)
    with os.scandir(scripts) as found:
        for entry in found:
            name = entry.name
            if name.startswith("openrqd-") and name.endswith(".sh") and name[8:-3] not in keys:
                removed += _remove(entry, now - FORGOTTEN)
    return removed


def _remove(entry: os.DirEntry[str], before: float) -> bool:
    """Only plain files."""
    try:
        if entry.stat(follow_symlinks=False).st_mtime >= before:
            return False
        if not entry.is_file(follow_symlinks=False):
            return False
        os.unlink(entry.path)
    except OSError:
        return False
    return True


def remove_chains(folder: Path, berths: Collection[str]) -> None:
    """Remove the chain files of berths but these; raises OSError."""
    for path in folder.glob("*.chain"):
        if path.stem not in berths:
            with suppress(OSError):
                path.unlink()


def living_sessions(sessions: Collection[int]) -> set[int]:
    """Those of which a process is there: one look at every process of the host."""
    return {session for _, session in in_sessions(sessions)} if sessions else set()


async def end(members: IMembers, name: str, *, reactor: IReactorTime) -> bool:
    """End what is left where no frame runs; False if it can't be killed."""
    if not members.pids():
        return True
    _log.info("ending what is left of a frame name={name}", name=name)
    grace = Grace(0.0, 0.0, force=True)
    ladder = Ladder(members, grace, running=lambda: False, frame_id=name, reactor=reactor)
    return await ladder.sweep()
