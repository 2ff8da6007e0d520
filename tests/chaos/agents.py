"""The agent, one life after the other: started, killed at random or at a step, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc

from rqd.proto import rqd_pb2, rqd_pb2_grpc
from tests.chaos.schedule import Life
from tests.environments import SOURCE_TREE

#: Cores that the agent believes in.
CORES = 64
#: Seconds after which an agent that was asked to stop must have ended, and one that starts serve.
STOP_PATIENCE, START_PATIENCE = 25.0, 30.0
_LAUNCHER = (sys.executable, "-m", "tests.chaos.launcher")
_INSTALLED = (str(Path(sys.executable).parent / "openrqd"),)
_CHANNEL = [("grpc.use_local_subchannel_pool", 1)] + [
    (f"grpc.{which}_reconnect_backoff_ms", 50) for which in ("initial", "min", "max")
]


class Agents:
    """One agent at a time; ``problems`` are sentences."""

    def __init__(self, folder: Path, port: int, cuebot: str) -> None:
        self._folder = folder
        self._port = port
        self._config = folder / "rqd.yaml"
        self._config.write_text(json.dumps(self._settings(cuebot)))
        self._hits = folder / "hits"
        self._hits.touch()
        self.log = folder / "agent.log"
        self.stub: rqd_pb2_grpc.RqdInterfaceStub | None = None
        self.pid = 0
        self.serving = threading.Event()
        self.ends: Counter[str] = Counter()
        self.problems: list[str] = []
        self.started = 0
        self.longest_start = 0.0

    def _settings(self, cuebot: str) -> dict[str, dict[str, Any]]:
        return {
            "logging": {"level": "debug"},
            "grpc": {
                "rqd_port": self._port,
                "rqd_interface": "127.0.0.1",
                "cuebot_endpoints": [cuebot],
                "backoff_delay_max": "200ms",
            },
            "machine": {
                "temp_path": str(self._folder / "temp"),
                "override_real_values": {"cores": CORES, "hostname": "render042"},
                "monitor_interval": "500ms",
                "frame_complete_delivery_interval": "300ms",
                "frame_complete_send_timeout": "2s",
                "reboot_command": [self._stand_in()],
                "restart_command": [self._stand_in()],
            },
            "runner": {
                "temp_path": str(self._folder / "temp"),
                "snapshots_path": str(self._folder / "state"),
                "kill_monitor_interval": "50ms",
                "kill_monitor_timeout": "500ms",
            },
        }

    def _stand_in(self) -> str:
        """What agents run in place of what ends or restarts a machine: it does nothing."""
        program = self._folder / "stand-in-for-nothing"
        program.write_text("#!/bin/sh\nexit 1\n")
        program.chmod(0o755)
        return str(program)

    @property
    def hits(self) -> list[str]:
        """The steps at which agents killed themselves."""
        return self._hits.read_text().splitlines()

    @property
    def kills(self) -> int:
        """How many agents ended by SIGKILL."""
        return self.ends["killed at random"] + self.ends["killed at a step"]

    def live(self, life: Life, stop: threading.Event) -> None:
        """One life of an agent, from its start to its end; cut short by ``stop``."""
        process = self._start(life)
        try:
            if self._wait_until_it_serves(process):
                self._wait(process, life.seconds, stop)
        finally:
            self.serving.clear()
            self._end(process, orderly=life.orderly)

    def _start(self, life: Life) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        program = _INSTALLED
        if life.aim is not None:
            program = _LAUNCHER
            environment |= {
                "OPENRQD_CHAOS_AIM": str(life.aim),
                "OPENRQD_CHAOS_HITS": str(self._hits),
            }
        self.started += 1
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [*program, "--config", str(self._config)],
                cwd=SOURCE_TREE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = process.pid
        return process

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> bool:
        began = time.monotonic()
        channel = grpc.insecure_channel(f"127.0.0.1:{self._port}", _CHANNEL)
        self.stub = rqd_pb2_grpc.RqdInterfaceStub(channel)
        while process.poll() is None:
            if self.idle() is not None:
                self.serving.set()
                self.longest_start = max(self.longest_start, time.monotonic() - began)
                return True
            if time.monotonic() - began > START_PATIENCE:
                self.problems.append("an agent did not serve in time")
                return False
            time.sleep(0.02)
        return False

    def idle(self) -> tuple[int, int] | None:
        """Core points: idle and total; None where the agent doesn't answer."""
        assert self.stub is not None
        try:
            answer = self.stub.ReportStatus(rqd_pb2.RqdStaticReportStatusRequest(), timeout=5)
        except grpc.RpcError:
            return None
        cores = answer.host_report.core_info
        return cores.idle_cores, cores.total_cores

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], seconds: float, stop: threading.Event) -> None:
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until and not stop.wait(0.02):
            pass

    def _end(self, process: subprocess.Popen[bytes], *, orderly: bool) -> None:
        if process.poll() is not None:
            self._count_own_end(process.returncode)
            return
        process.send_signal(signal.SIGTERM if orderly else signal.SIGKILL)
        try:
            status = process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self.problems.append("an agent did not end in time")
            process.kill()
            status = process.wait()
        if status == -signal.SIGKILL:
            self.ends["killed at random"] += 1
        elif orderly and status == 0:
            self.ends["stopped in order"] += 1
        else:
            self._count_own_end(status)

    def _count_own_end(self, status: int) -> None:
        """It ended before it was asked to: by its aim, or because it could not start."""
        if status == -signal.SIGKILL:
            self.ends["killed at a step"] += 1
        elif status == 1:
            self.ends["could not start"] += 1
            time.sleep(0.2)
        else:
            self.problems.append(f"an agent ended with {status}")
