"""The process of an agent under measurement: started, waited for, stopped, all of it timed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc

from benchmarks.clocks import now
from rqd.proto import rqd_pb2, rqd_pb2_grpc

START_TIMEOUT = 60.0
STOP_TIMEOUT = 15.0

_DRIVER_ONLY = ("GRPC_ENABLE_FORK_SUPPORT", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


class StartError(Exception):
    """The agent didn't come up."""


class Daemon:
    """A started agent. `began`, `port_open` and `answered` are monotonic times of its start."""

    def __init__(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        """Start it in its folder, with its output in `agent.log` there."""
        inherited = {k: v for k, v in os.environ.items() if k not in _DRIVER_ONLY}
        self._log = folder / "agent.log"
        with open(self._log, "wb") as log:
            self.began = now()
            self._process = subprocess.Popen(
                command,
                env={**inherited, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.port_open = self.answered = self.began

    def await_port(self, port: int) -> None:
        """Wait until the port takes connections."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                self._check_alive()
                time.sleep(0.002)
        self.port_open = now()

    def await_answer(self, port: int) -> tuple[grpc.Channel, rqd_pb2_grpc.RqdInterfaceStub]:
        """Wait for an answer; the channel is the caller's to close.

        Each attempt has a new channel: a refused one would wait before it tries again.
        """
        while True:
            channel = connect(port)
            stub = rqd_pb2_grpc.RqdInterfaceStub(channel)
            try:
                stub.ReportStatus(rqd_pb2.RqdStaticReportStatusRequest(), timeout=5)
                break
            except grpc.RpcError:
                channel.close()
                self._check_alive()
                time.sleep(0.005)
        self.answered = now()
        return channel, stub

    def _check_alive(self) -> None:
        if self._process.poll() is not None:
            said = self._log.read_text(errors="replace").strip()
            last = said.splitlines()[-1] if said else "nothing"
            raise StartError(f"exited with {self._process.returncode}, saying: {last}")
        if now() - self.began > START_TIMEOUT:
            raise StartError(f"doesn't serve after {START_TIMEOUT:.0f} s")

    def stop(self) -> float:
        """End it by SIGTERM, by SIGKILL if it takes long; the seconds that it took."""
        began = now()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return now() - began


def connect(port: int) -> grpc.Channel:
    """A connection of its own to a port of the loopback."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=options)


def free_port() -> int:
    """A port that was free a moment ago; agents can't be asked for the one they chose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
