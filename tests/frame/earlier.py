"""What an earlier agent has left of a frame, made up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rqd.blanks import Blanks
from rqd.frame.records import KillNote, Records, Whereabouts
from rqd.proto import rqd_pb2
from rqd.servant.frame_calls import spec_of
from rqd.system.reservations import Reservation
from tests.system.fake_proc import FakeProc

#: No process has such a pid.
PID = (1 << 22) + 7
STARTED = 1_700_000_000.0
BOOT = "b00t"
RESERVATION = Reservation(100)


def run_frame(**changes: Any) -> rqd_pb2.RunFrame:
    """A request."""
    facts: dict[str, Any] = {
        "resource_id": "7221a2b3",
        "job_name": "job",
        "frame_id": "f",
        "frame_name": "0001-layer",
        "command": "true",
        "user_name": "artist",
        "log_dir": "/logs",
        "num_cores": 100,
    }
    return rqd_pb2.RunFrame(**facts | changes)


class Earlier:
    """A state folder, and a ``/proc`` of processes that are made up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state = str(folder / "state")
        self.records = Records(state, str(folder / "temp"), Blanks(state))
        self.records.prepare()
        self.berths = folder / "state" / "berths"
        self.berths.mkdir(exist_ok=True)
        self.proc = FakeProc(str(folder / "proc"))
        self.proc.write("sys/kernel/random/boot_id", f"{BOOT}\n")

    def frame(
        self,
        key: str = "f.1",
        *,
        berth: str = "b1",
        pid: int = PID,
        ticks: int = 1000,
        boot: str = BOOT,
        group: str = "",
        chain: bytes | None = None,
        report: bytes | None = None,
        kill: KillNote | None = None,
        started_at: float = STARTED,
        reservation: Reservation = RESERVATION,
        spooled: bool = True,
        **request: Any,
    ) -> Path:
        """A frame as it is kept; returns its record."""
        text = run_frame(**{"log_dir": str(self.folder), "frame_id": key[:-2]} | request)
        files = self.records.files(key)
        files.create(
            spec_of(text.SerializeToString()),
            reservation,
            Whereabouts(berth, pid, ticks, boot, group),
            shell="/bin/sh",
            identity=None,
            spooled=spooled,
            started_at=started_at,
            born=0.0,
        )
        if chain is not None:
            self.chain(berth).write_bytes(b"born %d\n%s" % (pid, chain))
        if kill is not None:
            files.write_kill(kill)
        if report is not None:
            files.write_report(report, b"foot\n")
        return Path(files.record)

    def chain(self, berth: str = "b1") -> Path:
        return self.berths / f"{berth}.chain"

    def process(
        self, pid: int = PID, *, ticks: int = 1000, output: Path | None = None, **facts: Any
    ) -> None:
        """A process that has this file as its output."""
        self.proc.process(pid, start_ticks=ticks, session=pid, **facts)
        link = Path(self.proc.root, str(pid), "fd", "1")
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.abspath(output or self.chain()))

    def ends(self, pid: int = PID) -> None:
        """A process is gone."""
        self.proc.remove(f"{pid}/stat")
        Path(self.proc.root, str(pid), "fd", "1").unlink()
