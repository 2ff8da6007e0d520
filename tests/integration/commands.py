"""The agent as a process of its own, started as people start it: ``openrqd`` or ``twistd``."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import rqd_pb2, rqd_pb2_grpc
from tests.environments import SOURCE_TREE
from tests.integration import remains
from tests.integration.farm import free_port

#: Seconds. Nothing here takes as long unless it is broken.
PATIENCE = 30.0

OPENRQD = ("-c", "from rqd.command import main; main()")
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()")
#: The agent in the foreground under twistd.
TWISTD_N = (*TWISTD, "-n", "openrqd")

_CONFIGURATION = """\
logging: {{path: {folder}/agent.log, file_appender: {file}, json: true}}
grpc: {{rqd_port: {port}, rqd_interface: 127.0.0.1, cuebot_endpoints: 127.0.0.1:{cuebot}}}
runner: {{snapshots_path: {folder}/state, temp_path: {folder}/temp, shell_path: /bin/sh}}
"""


class Whistle:
    """A named pipe by which a frame says things when they are true, so that no test sleeps."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def heard(self) -> str:
        """The next line, once it is there."""
        readable, _, _ = select.select([self._pipe], [], [], PATIENCE)
        if not readable:
            raise AssertionError(f"nobody wrote to {self.path}")
        return os.read(self._pipe, 4096).decode().strip()

    def say(self, line: str) -> None:
        os.write(self._pipe, line.encode() + b"\n")

    def close(self) -> None:
        os.close(self._pipe)


class AgentTestCase(SynchronousTestCase):
    """Runs agents in a folder and on a port of their own; what they leave behind is ended."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.addCleanup(remains.remove_groups, str(self.folder / "state"))
        self.addCleanup(remains.kill, str(self.folder))
        self.port = free_port()
        self.configure()

    def configure(self, *, file_appender: bool = False) -> None:
        """Nobody is Cuebot here: an agent serves all the same."""
        text = _CONFIGURATION.format(
            folder=self.folder, port=self.port, cuebot=free_port(), file=str(file_appender).lower()
        )
        (self.folder / "rqd.yaml").write_text(text)

    # -- processes -----------------------------------------------------------------------------

    def start(self, *arguments: str, umask: int = 0o022) -> subprocess.Popen[str]:
        """A process that goes on; its output is in the files ``out`` and ``err``."""
        with open(self.folder / "out", "w") as out, open(self.folder / "err", "w") as err:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                text=True,
                umask=umask,
            )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def run_to_end(self, *arguments: str, umask: int = 0o022) -> int:
        """The exit status."""
        return self.start(*arguments, umask=umask).wait(PATIENCE)

    def environment(self) -> dict[str, str]:
        imported = [str(SOURCE_TREE), str(SOURCE_TREE / "twisted_plugins"), *filter(None, sys.path)]
        return {
            "HOME": str(self.folder),
            "OPENRQD_STAND_INS_ONLY": "1",
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(imported),
        }

    def read(self, name: str) -> str:
        """A file of the test's folder; nothing if there is none."""
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def everything_said(self) -> str:
        return self.read("out") + self.read("err")

    def pid_in(self, name: str) -> int:
        """The pid in a pid file."""
        return int(self.read(name))

    def wait_for_end(self, pid: int) -> None:
        """Wait for a process that isn't a child of this one."""
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            if not select.select([watched], [], [], PATIENCE)[0]:
                raise AssertionError(f"process {pid} did not end")
        finally:
            os.close(watched)

    # -- calls and frames ----------------------------------------------------------------------

    def agent(self) -> rqd_pb2_grpc.RqdInterfaceStub:
        """The agent's interface, once it serves."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options)
        self.addCleanup(channel.close)
        grpc.channel_ready_future(channel).result(PATIENCE)
        return rqd_pb2_grpc.RqdInterfaceStub(channel)

    def report(self) -> Any:
        """What the agent says of itself, which takes its gRPC threads and its reactor."""
        return (
            self.agent()
            .ReportStatus(rqd_pb2.RqdStaticReportStatusRequest(), timeout=PATIENCE)
            .host_report
        )

    def whistle(self, name: str) -> Whistle:
        whistle = Whistle(self.folder / name)
        self.addCleanup(whistle.close)
        return whistle

    def launch(self, command: str, *, num_cores: int = 10, **asked: Any) -> None:
        """Launch the frame ``frame``, in the test's folder."""
        (self.folder / "logs").mkdir(exist_ok=True)
        frame = rqd_pb2.RunFrame(
            resource_id="resource",
            job_id="job",
            job_name="job",
            frame_id="frame",
            frame_name="0001-layer",
            layer_id="layer",
            command=f"cd {self.folder}\n{command}",
            user_name="artist",
            log_dir=str(self.folder / "logs"),
            show="show",
            shot="shot",
            num_cores=num_cores,
            **asked,
        )
        request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=frame)
        self.agent().LaunchFrame(request, timeout=PATIENCE)
