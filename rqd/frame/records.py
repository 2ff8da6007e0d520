"""What is kept on disk of each frame, from before it starts until its end was acknowledged.

::

    <snapshots_path>/frames/<key>/    0700
        record.json                   what was asked, and what was given
        spool                         the frame's output on its way to the log
        checkpoint                    how far the log has come (rqd.logging)
        chain                         what the chain says of itself (rqd.frame.chain)
        report                        the completion as it is sent, until Cuebot has it
    <temp_path>/openrqd-<key>.sh      the command, private to the frame's user

Every call blocks on the disk and runs in the workers of the state folder. Nothing is synced: the
promise is to survive the death of the agent, not that of the kernel.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

from rqd.frame.chain import script
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.system.reservations import Reservation

VERSION = 1
#: The workers that all calls run in: those of the state folder, whatever happens to log folders.
STATE = "state"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_APPEND = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


def new_key(frame_id: str) -> str:
    """Name a launch on disk: never the same twice, never anything that leaves its folder."""
    if not _PLAIN.fullmatch(frame_id):
        frame_id = blake2b(frame_id.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return f"{frame_id}.{secrets.token_hex(6)}"


@dataclass(frozen=True, slots=True)
class Opened:
    """The descriptors that the chain starts with; whoever gets them closes them."""

    spool: int
    chain: int

    def close(self) -> None:
        os.close(self.spool)
        os.close(self.chain)


class FrameFolder:
    """The place of one frame on disk."""

    def __init__(self, path: Path, script_path: str) -> None:
        self.path = path
        self.script = script_path

    def file(self, name: str) -> str:
        return f"{self.path}/{name}"

    def create(
        self, spec: FrameSpec, reservation: Reservation, shell: str, identity: Identity | None
    ) -> Opened:
        """Make everything that a start needs; raises OSError, and then leaves nothing."""
        try:
            self.path.mkdir(mode=0o700)
            self._write_script(script(shell, spec.command), identity)
            self._write("record.json", _record(spec, reservation, self.script))
            return self._open(identity)
        except OSError:
            self.remove()
            raise

    def _open(self, identity: Identity | None) -> Opened:
        """The spool belongs to the frame's user, so that ``/dev/stderr`` can be opened again."""
        spool = os.open(self.file("spool"), _APPEND, 0o600)
        try:
            if identity is not None:
                os.fchown(spool, identity.uid, identity.gid)
            return Opened(spool, os.open(self.file("chain"), _APPEND, 0o600))
        except OSError:
            os.close(spool)
            raise

    def _write_script(self, text: bytes, identity: Identity | None) -> None:
        script_file = os.open(self.script, _APPEND, 0o500)
        try:
            _write_all(script_file, text)
            if identity is not None:
                os.fchown(script_file, identity.uid, identity.gid)
        finally:
            os.close(script_file)

    def _write(self, name: str, text: bytes) -> None:
        """Write a file that is whole or absent, whenever the agent dies."""
        part = self.file(f"{name}.part")
        target = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            _write_all(target, text)
        finally:
            os.close(target)
        os.replace(part, self.file(name))

    def read_chain(self) -> bytes:
        """Return what the chain said; nothing where it never came so far."""
        try:
            with open(self.file("chain"), "rb") as chain:
                return chain.read(64 << 10)
        except FileNotFoundError:
            return b""

    def write_report(self, report: bytes) -> None:
        """Keep the completion until it is acknowledged."""
        self._write("report", report)

    def remove(self) -> None:
        """Forget the frame; what is gone already is fine."""
        _unlink(self.script)
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return
        for name in names:
            _unlink(self.file(name))
        self.path.rmdir()


class Records:
    """The state folder's frames."""

    def __init__(self, state: str, scripts: str) -> None:
        self._frames = Path(state, "frames")
        self._scripts = scripts

    def prepare(self) -> None:
        """Make the folders; raises OSError."""
        self._frames.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(self._scripts).mkdir(parents=True, exist_ok=True)

    def folder(self, key: str) -> FrameFolder:
        return FrameFolder(self._frames / key, f"{self._scripts}/openrqd-{key}.sh")


def _record(spec: FrameSpec, reservation: Reservation, script_path: str) -> bytes:
    asked = {name: getattr(spec, name) for name in FrameSpec.__dataclass_fields__}
    asked["request"] = base64.b64encode(spec.request).decode()
    return json.dumps(
        {
            "version": VERSION,
            "spec": asked,
            "reservation": asdict(reservation),
            "script": script_path,
        }
    ).encode()


def _write_all(descriptor: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(descriptor, view) :]


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
