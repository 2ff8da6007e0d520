"""One fresh agent with one fresh cuebot, from exec to exit."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.clocks import cpu_seconds
from benchmarks.cuebot import Cuebot
from benchmarks.daemon import START_TIMEOUT, Daemon, StartError, free_port
from benchmarks.people import User
from benchmarks.scale import CORES, Scale
from rqd.proto import rqd_pb2


@dataclass(frozen=True, slots=True)
class Site:
    """What all sessions of a run share."""

    scale: Scale
    user: User
    agent_logs: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How an agent is set up for a measure, where that isn't as usual."""

    timestamps: bool = False
    run_as_user: bool = False
    cores: int = CORES
    way: str = ""
    """By which of its commands it is started, see `agents`."""
    port: int = 0
    """Where it serves; 0 for any free port."""
    reports_to: int = 0
    """The port of another cuebot, which then hears its reports; 0 for the session's own."""


USUAL = Setup()


class Session:
    """A context manager: inside it the agent serves and has reported its start.

    Everything on disk is in a folder of its own under the system's temporary folder. Leaving the
    session ends what its frames left behind, keeps what the agent logged and removes the rest.
    `token` is in the environment or the arguments of every process that comes from the session.
    """

    def __init__(self, agent: Agent, site: Site, label: str, setup: Setup = USUAL) -> None:
        self.site, self.scale = site, site.scale
        self.stop_seconds = 0.0
        self._agent, self._label, self._setup = agent, label, setup
        self._frames = 0

    def __enter__(self) -> Session:
        with ExitStack() as undo:
            self._make_folders()
            undo.callback(self._clean_up)
            self.cuebot = Cuebot()
            undo.callback(self.cuebot.stop)
            port = self._setup.port or free_port()
            self.daemon = self._start(port)
            undo.callback(self._stop)
            self.daemon.await_port(port)
            channel, self.stub = self.daemon.await_answer(port)
            undo.callback(channel.close)
            self._await_report()
            time.sleep(0.5)
            self.pids = [self.daemon.pid, *accounting.descendants(self.daemon.pid)]
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def _await_report(self) -> None:
        if self._setup.reports_to:
            return
        if not self.cuebot.wait(lambda: bool(self.cuebot.startups), START_TIMEOUT):
            raise StartError(f"no startup report in {START_TIMEOUT:.0f} s")

    def _make_folders(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="openrqd-bench-"))
        self.folder.chmod(0o755)
        self.token = self.folder.name
        self.stretches = self.folder / "stretches"
        self.logs, self.tmp, self.state = (self.folder / n for n in ("logs", "tmp", "state"))
        for folder, mode in ((self.logs, 0o1777), (self.tmp, 0o1777), (self.state, 0o700)):
            folder.mkdir()
            folder.chmod(mode)

    def _start(self, port: int) -> Daemon:
        values: dict[str, object] = {
            "port": port,
            "cuebot_host": "127.0.0.1",
            "cuebot_port": self._setup.reports_to or self.cuebot.port,
            "cores": self._setup.cores,
            "timestamps": self._setup.timestamps,
            "run_as_user": self._setup.run_as_user,
            "stretches": self.stretches,
            "workdir": self.folder,
            "conf": self.folder / "agent.conf",
        }
        template = self._agent.template.read_text()
        (self.folder / "agent.conf").write_text(self._agent.fill(template, values))
        words = self._agent.command_of(self._setup.way)
        command = [self._agent.fill(word, values) for word in words]
        return Daemon(command, self.folder, {"TMPDIR": str(self.tmp), "HOME": str(self.state)})

    def _stop(self) -> None:
        self.stop_seconds = self.daemon.stop()

    def _clean_up(self) -> None:
        for pid in accounting.bearing(self.token):
            _kill(pid)
        log = self.folder / "agent.log"
        if log.exists() and log.stat().st_size:
            self.site.agent_logs.mkdir(parents=True, exist_ok=True)
            kept = f"{self._label}-{self._agent.name}-{self.token}.log"
            shutil.copyfile(log, self.site.agent_logs / kept)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cpu(self) -> float:
        """CPU seconds of the agent; what it started is told apart (``children_cpu_seconds``)."""
        return cpu_seconds(self.daemon.pid)

    def status(self, timeout: float = 60.0) -> rqd_pb2.RqdStaticReportStatusResponse:
        """Ask the agent for its host report."""
        request = rqd_pb2.RqdStaticReportStatusRequest()
        answer: rqd_pb2.RqdStaticReportStatusResponse = self.stub.ReportStatus(
            request, timeout=timeout
        )
        return answer

    def frame(self, command: str, points: int = 100) -> rqd_pb2.RunFrame:
        """A new frame of one core or so many hundredths, as a cuebot would send it."""
        self._frames += 1
        user = self.site.user
        return rqd_pb2.RunFrame(
            resource_id=str(uuid.uuid4()),
            job_id=str(uuid.uuid4()),
            job_name="bench-job",
            frame_id=str(uuid.uuid4()),
            frame_name=f"{self._frames:05d}-layer",
            layer_id=str(uuid.uuid4()),
            command=command,
            user_name=user.name,
            uid=user.uid,
            gid=user.gid,
            log_dir=str(self.logs),
            show="bench",
            shot="shot",
            num_cores=points,
            start_time=int(time.time()),
            environment={
                "CUE_FRAME": str(self._frames),
                "CUE_THREADS": "1",
                "BENCH_TOKEN": self.token,
            },
        )

    def log_of(self, frame: rqd_pb2.RunFrame) -> Path:
        """Where the frame's log is."""
        return self.logs / f"{frame.job_name}.{frame.frame_name}.rqlog"


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
