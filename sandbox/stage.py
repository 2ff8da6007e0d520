"""A private stage for one run: a folder, two ports, an agent's configuration, and the programs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from sandbox import traces

LOOPBACK = "127.0.0.1"
# Cores that the demo's host claims to have, so that four chunks run side by side anywhere.
CORES = 4
# Seconds for a program to end after SIGTERM; more than an agent's grace for its frames.
PATIENCE = 45.0


class Stage:
    """Everything of a run is below ``folder``. ``strike`` ends the programs and removes it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="openrqd-demo-"))
        self.work = self._made("work")
        self.state = self._made("state")
        self.temp = self._made("temp")
        self.agent_log = self.folder / "agent.log"
        self.agent_port, self.report_port = free_ports(2)
        self._programs: list[subprocess.Popen[bytes]] = []

    def start_agent(self) -> subprocess.Popen[bytes]:
        config = self.folder / "rqd.yaml"
        config.write_text(yaml.safe_dump(self._settings()))
        with self.agent_log.open("wb") as log:
            return self._start("openrqd", "--config", config, stdout=log, stderr=log)

    def start_job(
        self, job: Path, variables: dict[str, str], timeout: float
    ) -> subprocess.Popen[bytes]:
        """The scheduler, on our own terminal."""
        settings = [f"--set={name}={value}" for name, value in variables.items()]
        host = f"--host={LOOPBACK}:{self.agent_port}"
        return self._start(
            "dummy-cuebot", "run-job", job, host, f"--port={self.report_port}",
            f"--timeout={timeout}", *settings,
        )  # fmt: skip

    def stop(self) -> None:
        """Ends the programs, the job first: it has the agent end its frames."""
        while self._programs:
            end(self._programs.pop(0))

    def strike(self) -> None:
        """Leaves nothing, whatever has happened: frames outlive an agent that died."""
        self.stop()
        for pid in traces.processes(str(self.folder)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def _made(self, name: str) -> Path:
        path = self.folder / name
        path.mkdir()
        return path

    def _start(
        self, program: str, *arguments: object, **streams: object
    ) -> subprocess.Popen[bytes]:
        """A program of this virtual environment, in a session of its own: ^C is for us alone, who
        then end them in order."""
        path = Path(sys.executable).parent / program
        command = [str(path), *map(str, arguments)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, start_new_session=True, **streams
        )  # type: ignore[call-overload]
        self._programs.append(process)
        return process

    def _settings(self) -> dict[str, object]:
        return {
            "grpc": {
                "rqd_port": self.agent_port,
                "rqd_interface": LOOPBACK,
                "cuebot_endpoints": [f"{LOOPBACK}:{self.report_port}"],
            },
            "machine": {
                "monitor_interval": "1s",
                "temp_path": str(self.temp),
                "override_real_values": {"hostname": "sandbox", "cores": CORES, "procs": 1},
            },
            "runner": {"snapshots_path": str(self.state), "temp_path": str(self.temp)},
        }


def end(process: subprocess.Popen[bytes]) -> None:
    """TERM, time to obey, KILL."""
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago: asked for all at once, so they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
