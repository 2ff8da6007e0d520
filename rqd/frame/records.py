"""What is kept on disk of each frame, from before it starts until its end was acknowledged.

::

    <snapshots_path>/frames/          0700
        <key>.record                  what was asked and given; at last, the completion as sent
        <key>.spool                   the frame's output on its way to the log, with timestamps
        <key>.checkpoint              how far the log has come (rqd.logging)
    <temp_path>/openrqd-<key>.sh      the command, private to the frame's user

The record holds one JSON object a line, each written at once: a line is complete or was never
written. Nobody but the agent writes to it. Files are few, because making them is most of what a
short frame costs the disk. Every call blocks on the disk and runs in the workers of the state
folder. Nothing is synced: the promise is to survive the death of the agent, not of the kernel.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from hashlib import blake2b
from itertools import count
from pathlib import Path

from rqd.frame.chain import script
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.system.reservations import Reservation

VERSION = 1
_launches = count()
#: The workers that all calls run in: those of the state folder, whatever happens to log folders.
STATE = "state"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_NEW = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


def new_key(frame_id: str) -> str:
    """Name a launch on disk: never the same twice, never anything that leaves its folder."""
    if not _PLAIN.fullmatch(frame_id):
        frame_id = blake2b(frame_id.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{frame_id}.{_this_run()}{next(_launches):x}"


@cache
def _this_run() -> str:
    """What nobody can guess, once for all launches of this agent: each look costs a system call."""
    return secrets.token_hex(6)


class FrameFiles:
    """The files of one frame."""

    def __init__(self, path: str, script_path: str) -> None:
        self.script = script_path
        self.record = f"{path}.record"
        self.spool = f"{path}.spool"
        self.checkpoint = f"{path}.checkpoint"

    def create(
        self,
        spec: FrameSpec,
        reservation: Reservation,
        berth: str,
        *,
        shell: str,
        identity: Identity | None,
        spooled: bool,
    ) -> None:
        """Make everything that a start needs; raises OSError, and then leaves nothing.

        ``berth`` is the name of where the frame is to run. The spool belongs to the frame's user,
        so that ``/dev/stderr`` can be opened again.
        """
        try:
            _make(self.record, _asked(spec, reservation, berth, self.script))
            _make(self.script, script(shell, spec.command), identity, mode=0o500)
            if spooled:
                _make(self.spool, b"", identity)
        except OSError:
            self.remove()
            raise

    def write_report(self, report: bytes) -> None:
        """Keep the completion until it is acknowledged."""
        target = os.open(self.record, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            _write_all(target, _line({"report": base64.b64encode(report).decode()}))
        finally:
            os.close(target)

    def remove(self) -> None:
        """Forget the frame; what is gone already is fine. The record goes last: it is the proof."""
        for path in (self.script, self.spool, self.checkpoint, self.record):
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)


class Records:
    """The state folder's frames."""

    def __init__(self, state: str, scripts: str) -> None:
        self._frames = Path(state, "frames")
        self._scripts = scripts

    def prepare(self) -> None:
        """Make the folders; raises OSError."""
        self._frames.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self._scripts).mkdir(parents=True, exist_ok=True)

    def files(self, key: str) -> FrameFiles:
        return FrameFiles(f"{self._frames}/{key}", f"{self._scripts}/openrqd-{key}.sh")


def _asked(spec: FrameSpec, reservation: Reservation, berth: str, script_path: str) -> bytes:
    """The first line of a record."""
    asked = spec._asdict()
    asked["request"] = base64.b64encode(spec.request).decode()
    return _line(
        {
            "version": VERSION,
            "spec": asked,
            "reservation": reservation._asdict(),
            "berth": berth,
            "script": script_path,
        }
    )


def _line(content: dict[str, object]) -> bytes:
    return json.dumps(content, default=asdict).encode() + b"\n"


def _make(path: str, text: bytes, owner: Identity | None = None, *, mode: int = 0o600) -> None:
    made = _make_open(path, owner, mode)
    try:
        _write_all(made, text)
    finally:
        os.close(made)


def _make_open(path: str, owner: Identity | None, mode: int) -> int:
    made = os.open(path, _NEW, mode)
    if owner is not None:
        try:
            os.fchown(made, owner.uid, owner.gid)
        except OSError:
            os.close(made)
            raise
    return made


def _write_all(descriptor: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(descriptor, view) :]
