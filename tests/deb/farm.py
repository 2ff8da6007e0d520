"""The farm around a machine: a dummy-cuebot that remembers, and frames that tell what they saw."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dummy_cuebot.client import AgentClient, CallFailed
from dummy_cuebot.reports import COMPLETION, STARTUP, Report
from dummy_cuebot.server import ReportServer
from rqd.proto import rqd_pb2
from tests.deb.machine import Machine, until

#: Where the packages' own defaults look for Cuebot, and where Cuebot looks for them.
CUEBOT, AGENT = 8443, "127.0.0.1:8444"
#: Who owns frames, inside.
ARTIST = 1001
LOGS = "/var/tmp/logs"
#: While this is missing, frames that wait go on printing.
_GO = "/var/tmp/go"
#: Prints lines until it may end, and every signal that it ever gets.
_PRINTER = """\
for s in HUP INT QUIT USR1 USR2 TERM CONT; do trap "echo SIGNAL $s" $s; done
{then}
i=0; while [ ! -e {go} ]; do i=$((i+1)); echo line $i; sleep 0.1; done; echo last $i; exit {status}
"""


class Frame(NamedTuple):
    """One that was launched, and the status that it is to end with."""

    id: str
    name: str
    status: int

    def log(self, machine: Machine) -> Path:
        return machine.path(f"{LOGS}/job.{self.name}.rqlog")


class Farm:
    """A Cuebot at the default port, from ``start`` on, that calls the machine's agent."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._reports: list[Report] = []
        self._lock = threading.Lock()
        self._server: ReportServer | None = None

    def start(self) -> None:
        self._server = ReportServer(self._heard, interface="127.0.0.1", port=CUEBOT)
        self._server.start()

    def stop(self) -> None:
        """Cuebot is away until it starts again."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _heard(self, report: Report) -> None:
        with self._lock:
            self._reports.append(report)

    def _of_kind(self, kind: str) -> list[Any]:
        with self._lock:
            return [each.message for each in self._reports if each.kind == kind]

    @property
    def startups(self) -> int:
        return len(self._of_kind(STARTUP))

    @property
    def completions(self) -> list[Any]:
        """Each as often as it came."""
        return self._of_kind(COMPLETION)

    def ends(self, frames: Sequence[Frame]) -> dict[str, tuple[int, int]]:
        """Exit status and signal of those that have ended, by frame id."""
        wanted = {frame.id for frame in frames}
        return {
            done.frame.frame_id: (done.exit_status, done.exit_signal)
            for done in self.completions
            if done.frame.frame_id in wanted
        }

    def wait_for_agent(self, since: int = 0) -> None:
        """Until one has made itself known, after the first ``since``, and answers calls."""
        until(lambda: self.startups > since, "a startup report")
        until(self._answers, "an agent that answers")

    def _answers(self) -> bool:
        try:
            self.call("ReportStatus", rqd_pb2.RqdStaticReportStatusRequest())
        except CallFailed:
            return False
        return True

    def call(self, method: str, request: Any) -> Any:
        with AgentClient(AGENT) as agent:
            return agent.call(method, request)

    # -- frames --------------------------------------------------------------------------------

    def launch(self, command: str, status: int = 0) -> Frame:
        """Run a shell command as the artist."""
        frame = Frame(str(uuid.uuid4()), f"f{uuid.uuid4().hex[:8]}", status)
        request = rqd_pb2.RunFrame(
            resource_id=str(uuid.uuid4()),
            job_id=str(uuid.uuid4()),
            job_name="job",
            frame_id=frame.id,
            frame_name=frame.name,
            layer_id=str(uuid.uuid4()),
            command=command,
            user_name="artist",
            uid=ARTIST,
            gid=ARTIST,
            log_dir=LOGS,
            show="show",
            shot="shot",
            num_cores=10,
        )
        self.call("LaunchFrame", rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=request))
        return frame

    def launch_printers(self, number: int, *, deaf: int = 0) -> list[Frame]:
        """Frames that print until ``let_go``; all but the ``deaf`` ones end at a TERM.

        Returns once each has printed.
        """
        self._machine.path(_GO).unlink(missing_ok=True)
        frames = []
        for status in range(number):
            then = "" if status < deaf else "trap 'echo SIGNAL TERM; exit 1' TERM"
            frames.append(self.launch(_PRINTER.format(go=_GO, status=status, then=then), status))
        for frame in frames:
            self._wait_for(frame, lambda log: b"line 1" in log)
        return frames

    def let_go(self) -> None:
        """Frames that wait may end."""
        self._machine.path(_GO).touch()

    def wait_for_ends(self, frames: Sequence[Frame]) -> dict[str, tuple[int, int]]:
        until(lambda: len(self.ends(frames)) == len(frames), "completions of all frames")
        return self.ends(frames)

    def wait_for_lines(self, frames: Sequence[Frame]) -> None:
        """Until each has printed something more."""
        before = {frame.id: len(_read(frame.log(self._machine))) for frame in frames}
        for frame in frames:
            self._wait_for(frame, lambda log, size=before[frame.id]: len(log) > size)

    def _wait_for(self, frame: Frame, condition: Callable[[bytes], bool]) -> None:
        path = frame.log(self._machine)
        until(lambda: condition(_read(path)), f"something in {path}")


def what_is_odd(frame: Frame, machine: Machine) -> str:
    """In the log of a printer that ended by itself: a gap, a signal, a second footer; or ""."""
    text = _read(frame.log(machine)).decode()
    numbers = [int(number) for number in re.findall(r"line (\d+)$", text, re.MULTILINE)]
    last = re.findall(r"last (\d+)$", text, re.MULTILINE)
    if numbers != list(range(1, len(numbers) + 1)):
        return f"its lines are {numbers}"
    if last != [str(len(numbers))]:
        return f"its last line is {last}, and {len(numbers)} lines are there"
    if signals := re.findall(r"\] SIGNAL (\w+)$", text, re.MULTILINE):
        return f"it saw {signals}"
    if (footers := text.count("Render Frame Completed")) != 1:
        return f"it has {footers} footers"
    return ""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
