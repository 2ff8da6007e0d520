"""What is kept on disk of each frame, from before it starts until its end was acknowledged.

::

    <snapshots_path>/frames/          0700
        <key>.record                  what was asked and given; why it is killed; at last, the
                                      completion as sent and the footer of its log
        <key>.spool                   the frame's output on its way to the log, with timestamps
        <key>.checkpoint              how far the log has come (rqd.logging)
    <temp_path>/openrqd-<key>.sh      the command, private to the frame's user

The record holds one JSON object a line, each written at once: a line is complete or was never
written (``rqd.frame.recall`` reads them). Nobody but the agent writes to it. Files are few, because
making them is most of what a short frame costs the disk. Every call blocks on the disk and runs in
the workers of the state folder. Nothing is synced: the promise is to survive the death of the
agent, not of the kernel.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

from rqd.blanks import Blanks
from rqd.frame.chain import script
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.system.reservations import Reservation

VERSION = 3
_launches = count()
_encode = json.JSONEncoder(default=asdict).encode
#: The workers that all calls run in: those of the state folder, whatever happens to log folders.
STATE = "state"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_NEW = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class Whereabouts(NamedTuple):
    """Where a frame runs, told so that a later agent finds it and mistakes nothing for it.

    ``berth`` is the name of its place, ``supervisor`` the pid of who leads its session there, since
    ``start_ticks`` (clock ticks after the boot ``boot_id``; 0 for unknown). ``group`` is the path
    of its control group, "" for none; ``oom_kills`` what that had counted before the frame.

    Of a ``container`` the supervisor is the first process, 0 where that wasn't there yet.
    """

    berth: str
    supervisor: int
    start_ticks: int
    boot_id: str
    group: str = ""
    oom_kills: int = 0
    container: bool = False


class KillNote(NamedTuple):
    """A kill that was begun ``at`` (seconds of the monotonic clock); the rest is as in ``Kill``."""

    reason: str
    status: int | None
    signal: int | None
    patience: float | None
    at: float


def new_key(frame_id: str) -> str:
    """Name a launch on disk: never the same twice, never anything that leaves its folder."""
    if not _PLAIN.fullmatch(frame_id):
        from hashlib import blake2b  # no scheduler's own ids need it

        frame_id = blake2b(frame_id.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{frame_id}.{_this_run()}{next(_launches):x}"


@cache
def _this_run() -> str:
    """What nobody can guess, once for all launches of this agent: each look costs a system call."""
    return os.urandom(6).hex()


class FrameFiles:
    """The files of one frame."""

    def __init__(self, path: str, script_path: str, blanks: Blanks) -> None:
        self._blanks = blanks
        self.script = script_path
        self.record = f"{path}.record"
        self.spool = f"{path}.spool"
        self.checkpoint = f"{path}.checkpoint"

    def create(
        self,
        spec: FrameSpec,
        reservation: Reservation,
        where: Whereabouts,
        *,
        shell: str,
        identity: Identity | None,
        spooled: bool,
        started_at: float,
        born: float,
    ) -> None:
        """Make everything that a start needs; raises OSError, and then leaves nothing.

        It was accepted when the date was ``started_at`` (seconds since the epoch) and the monotonic
        clock, which all agents of one boot share, said ``born``.

        The spool belongs to the frame's user, so that ``/dev/stderr`` can be opened again.
        """
        try:
            given = {
                "version": VERSION,
                "started_at": started_at,
                "born": born,
                "request": _base64(spec.request),
                "reservation": reservation._asdict(),
                "where": where._asdict(),
                "identity": identity,
                "spooled": spooled,
                "script": self.script,
            }
            self._make(self.record, _line(given))
            text = script(shell, spec.command)
            if identity is None:
                self._make(self.script, text, 0o500)
            else:
                _make_for(identity, self.script, text, 0o500)
            if spooled:
                self.make_spool(identity)
        except OSError:
            with suppress(OSError):  # what can't be removed now goes with the frame
                self.remove()
            raise

    def make_spool(self, identity: Identity | None) -> None:
        """As long as it is there the log is not whole. Raises OSError."""
        _make_for(identity, self.spool, b"", 0o600)

    def _make(self, path: str, text: bytes, mode: int = 0o600) -> None:
        made = self._blanks.make(path, mode)
        try:
            write_all(made, text)
        finally:
            os.close(made)

    def write_kill(self, kill: KillNote) -> None:
        """Keep why the frame is being ended, over a restart of the agent."""
        self._add({"kill": kill._asdict()})

    def write_whereabouts(self, where: Whereabouts) -> None:
        """Keep where the frame runs, once that is known."""
        self._add({"where": where._asdict()})

    def write_report(self, report: bytes, footer: bytes) -> None:
        """Keep the completion until it is acknowledged, and what its log is to end with."""
        self._add({"report": _base64(report), "footer": _base64(footer)})

    def _add(self, content: dict[str, object]) -> None:
        """Add a line; raises OSError, and then leaves no piece of it."""
        target = os.open(self.record, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            length = os.fstat(target).st_size
            try:
                write_all(target, _line(content))
            except OSError:
                os.ftruncate(target, length)
                raise
        finally:
            os.close(target)

    def remove(self) -> None:
        """Forget the frame; what is gone already is fine. The record goes last: it is the proof."""
        self.remove_all_but_record()
        self._blanks.take_back(self.record)

    def remove_all_but_record(self) -> None:
        """The frame is over and its log is whole.

        What a stray process of it may still hold open never becomes another frame's.
        """
        remove_file(self.spool)
        self._blanks.take_back(self.script)
        self._blanks.take_back(self.checkpoint)


class Records:
    """The state folder's frames."""

    def __init__(self, state: str, scripts: str, blanks: Blanks) -> None:
        self.folder = Path(state, "frames")
        self.scripts = scripts
        self._blanks = blanks

    def prepare(self) -> None:
        """Make the folders; raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self.scripts).mkdir(parents=True, exist_ok=True)

    def chain_of_container(self, name: str) -> str:
        """Where the chain file of a container is."""
        return f"{self.folder.parent}/containers/{name}.chain"

    def files(self, key: str, script_path: str = "") -> FrameFiles:
        """The script may be where an earlier configuration wanted it."""
        script_path = script_path or f"{self.scripts}/openrqd-{key}.sh"
        return FrameFiles(f"{self.folder}/{key}", script_path, self._blanks)


def remove_file(path: str) -> None:
    """In a worker: what is gone already is fine."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(path)


def _base64(text: bytes) -> str:
    return b64encode(text).decode()


def _line(content: dict[str, object]) -> bytes:
    return _encode(content).encode() + b"\n"


def _make_for(owner: Identity | None, path: str, text: bytes, mode: int) -> None:
    """Make a file that the frame's user may open: never one that was used before."""
    made = os.open(path, _NEW, mode)
    try:
        if owner is not None:
            os.fchown(made, owner.uid, owner.gid)
        write_all(made, text)
    finally:
        os.close(made)


def write_all(descriptor: int, text: bytes) -> None:
    """In a worker: write until all of it is written. Raises OSError."""
    view = memoryview(text)
    while view:
        view = view[os.write(descriptor, view) :]
