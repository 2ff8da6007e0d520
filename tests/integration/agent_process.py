"""The process of an agent under test: its folders, its configuration, its start and its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from rqd.proto import rqd_pb2_grpc
from tests.environments import SOURCE_TREE
from tests.integration import remains
from tests.integration.farm import FakeCuebot, free_port
from tests.integration.launched import Gate
from tests.integration.log_frames import read, until

#: Seconds. Nothing here takes as long unless it is broken.
PATIENCE = 60.0
#: Cores that the agent believes in, so that many small frames fit.
CORES = 64
#: Bytes of the agent's log that a failure shows.
_SHOWN = 10_000

_PROGRAM = (sys.executable, "-c", "from rqd.command import main; main()", "--config")


class _Process(ProcessProtocol):
    """``exited`` fires with the exit status, or minus the signal."""

    def __init__(self) -> None:
        self.exited: Deferred[int] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        done = reason.check(ProcessDone) or value.signal is None
        self.exited.callback((value.exitCode or 0) if done else -value.signal)


class AgentProcess:
    """An agent that runs from ``start`` to ``stop``; ``stop`` is the clean-up of a test."""

    def __init__(self, **settings: dict[str, Any]) -> None:
        """``settings``: sections of the configuration; "{folder}" stands for the agent's folder."""
        self.folder = tempfile.mkdtemp(prefix="openrqd-test-")
        self.cuebot = FakeCuebot(reactor)
        self.state = f"{self.folder}/state"
        self.temp = f"{self.folder}/temp"
        self.logs = f"{self.folder}/logs"
        os.chmod(self.folder, 0o755)  # frames of other users work in it
        for name in (self.temp, self.logs):
            os.mkdir(name)
            os.chmod(name, 0o1777)
        self.reboots = self._stand_in("reboot")
        self.restarts = self._stand_in("restart")
        self._settings = settings
        self.gates: list[Gate] = []
        self._exited: Deferred[int] | None = None
        self.channel: grpc.Channel | None = None
        self.pid = 0
        self.status: int | None = None

    def _stand_in(self, action: str) -> Path:
        """Make what an agent under test runs in place of the real thing.

        Each run adds a line to the file that is returned. While there is a file ``<action>-fails``
        it fails, once it has run.
        """
        done = Path(self.folder, f"{action}s")
        program = Path(self.folder, f"stand-in-{action}")
        program.write_text(
            f"#!/bin/sh\necho {action} >>{done}\n"
            f"[ ! -e {self.folder}/{action}-fails ] || {{ echo no {action} today; exit 4; }}\n"
        )
        program.chmod(0o755)
        return done

    # -- the process ---------------------------------------------------------------------------

    async def start(self, before: str = "", *, mounts: bool = False) -> None:
        """Start, and wait until Cuebot knows.

        ``before`` are shell commands for the agent's process to run first ($folder is that of the
        agent), with ``mounts`` in a mount namespace of its own. The port may be taken between its
        choice and its use.
        """
        for attempt in range(5):
            self.port = self._configure()
            self._spawn(before, mounts)
            if await self._serves():
                break
            if attempt == 4 or b"cannot listen" not in self.log:
                raise AssertionError(f"the agent ended with {self.status} before it served")
        self._connect()

    async def start_unknown(self) -> None:
        """Start the agent that has ended once more, where no Cuebot is to know."""
        assert self.channel is not None
        self.channel.close()
        self.port = self._configure()
        self._spawn("", False)
        assert self._exited is not None
        self._exited.addCallback(self._ended)
        self._connect()
        ready = grpc.channel_ready_future(self.channel)
        try:
            await until(lambda: ready.done() or self.status is not None, PATIENCE)
        finally:
            ready.cancel()

    def _connect(self) -> None:
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", [("grpc.use_local_subchannel_pool", 1)]
        )
        self.stub = rqd_pb2_grpc.RqdInterfaceStub(self.channel)
        self.frame_stub = rqd_pb2_grpc.RunningFrameStub(self.channel)

    async def _serves(self) -> bool:
        assert self._exited is not None
        startups = len(self.cuebot.startups)
        known = self.cuebot.wait_for(lambda cuebot: len(cuebot.startups) > startups, PATIENCE)
        self._exited.addCallback(self._ended).addCallback(lambda _: known.cancel())
        try:
            await known
        except CancelledError:
            return False
        return True

    def _ended(self, status: int) -> None:
        self.status = status

    def _configure(self) -> int:
        port = free_port()
        self._write(port)
        return port

    def _write(self, port: int) -> None:
        """Write the configuration."""
        sections: dict[str, dict[str, Any]] = {
            "logging": {"level": "debug"},
            "grpc": {
                "rqd_port": port,
                "rqd_interface": "127.0.0.1",
                "cuebot_endpoints": [self.cuebot.endpoint],
                "backoff_delay_max": "100ms",
            },
            "machine": {
                "temp_path": self.temp,
                "override_real_values": {"cores": CORES, "hostname": "render042"},
                "reboot_command": [f"{self.folder}/stand-in-reboot"],
                "restart_command": [f"{self.folder}/stand-in-restart"],
            },
            "runner": {
                "temp_path": self.temp,
                "snapshots_path": self.state,
                "kill_monitor_interval": "20ms",
            },
        }
        for section, values in self._settings.items():
            sections.setdefault(section, {}).update(values)
        with open(f"{self.folder}/rqd.yaml", "w", encoding="utf-8") as file:
            file.write(json.dumps(sections).replace("{folder}", self.folder))

    def _spawn(self, before: str, mounts: bool) -> None:
        script = f'set -e; cd "$0"; folder={self.folder}\n{before}\nexec "$@"'
        command = ["/bin/sh", "-c", script, str(SOURCE_TREE), *_PROGRAM, f"{self.folder}/rqd.yaml"]
        if mounts:
            command = ["/usr/bin/unshare", "--mount", *command]
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(f"{self.folder}/agent.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        process = _Process()
        try:
            # Without a folder, user or terminal this is posix_spawn: gRPC here bears no fork.
            fds = {0: nothing, 1: log, 2: log}
            reactor.spawnProcess(process, command[0], command, os.environ, childFDs=fds)
        finally:
            os.close(nothing)
            os.close(log)
        self.pid = process.transport.pid
        self.status, self._exited = None, process.exited

    async def end(self, number: int = signal.SIGTERM) -> int:
        """End the agent by a signal and wait for that; frames go on. Returns its exit status."""
        self.signal(number)
        return await self.exit()

    def configure(self, **changes: dict[str, Any]) -> None:
        """Other settings for the next start."""
        self._change(changes)

    def change(self, **changes: dict[str, Any]) -> None:
        """Change some settings in the file, behind the back of an agent that runs."""
        self._change(changes)
        self._write(self.port)

    def _change(self, changes: dict[str, dict[str, Any]]) -> None:
        for section, values in changes.items():
            self._settings = {**self._settings, section: self._settings.get(section, {}) | values}

    async def start_again(self, **changes: dict[str, Any]) -> None:
        """Start the agent that has ended once more, with some settings changed."""
        self._change(changes)
        assert self.channel is not None
        self.channel.close()
        await self.start()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def exit(self) -> int:
        """Wait until the agent ends; its exit status, or minus the signal."""
        assert self._exited is not None
        await until(lambda: self.status is not None, PATIENCE)
        assert self.status is not None
        return self.status

    @property
    def log(self) -> bytes:
        """The agent's own log."""
        return read(f"{self.folder}/agent.log")

    async def stop(self) -> None:
        """End the agent and whatever it started, and remove every trace of it."""
        try:
            await self._end()
        finally:
            remains.kill(self.folder)
            for gate in self.gates:
                gate.close()
            if self.channel is not None:
                self.channel.close()
            shutil.rmtree(self.folder)
            await self.cuebot.stop()
            await until(lambda: remains.remove_groups(self.state))

    async def _end(self) -> None:
        if self._exited is None or self.status is not None:
            return
        self.signal(signal.SIGTERM)
        try:
            status = await self.exit()
        except AssertionError:
            self.signal(signal.SIGKILL)
            await self.exit()
            raise
        if status != 0 or b"Traceback" in self.log:
            raise AssertionError(f"the agent ended with {status}\n{self.log_text()}")

    def log_text(self) -> str:
        return f"--- the end of the agent's log ---\n{self.log[-_SHOWN:].decode(errors='replace')}"
