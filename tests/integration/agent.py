"""A real agent for tests: its own process, folders and port, and a Cuebot in the test process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
import uuid
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import grpc
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from rqd.proto import report_pb2, rqd_pb2, rqd_pb2_grpc
from tests.environments import SOURCE_TREE, lacks
from tests.integration import remains
from tests.integration.farm import FakeCuebot, free_port
from tests.integration.launched import Gate, Launched
from tests.integration.log_frames import read, until

#: Seconds. Nothing here takes as long unless it is broken.
PATIENCE = 60.0
#: Cores that the agent believes in, so that many small frames fit.
CORES = 64

#: Bytes of the agent's log that a failure shows.
_SHOWN = 10_000

_PROGRAM = (sys.executable, "-c", "from rqd.command import main; main()", "--config")
_NO_GROUPS = "for m in $(awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo); do umount -l $m; done"


class _Process(ProcessProtocol):
    """``exited`` fires with the exit status, or minus the signal."""

    def __init__(self) -> None:
        self.exited: Deferred[int] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        value = reason.value
        done = reason.check(ProcessDone) or value.signal is None
        self.exited.callback((value.exitCode or 0) if done else -value.signal)


class Agent:
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
        self._settings = settings
        self._launched = 0
        self._gates: list[Gate] = []
        self._exited: Deferred[int] | None = None
        self._channel: grpc.Channel | None = None
        self.pid = 0
        self.status: int | None = None

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
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{self.port}", [("grpc.use_local_subchannel_pool", 1)]
        )
        self.stub = rqd_pb2_grpc.RqdInterfaceStub(self._channel)
        self.frame_stub = rqd_pb2_grpc.RunningFrameStub(self._channel)

    async def _serves(self) -> bool:
        assert self._exited is not None
        startups = len(self.cuebot.startups)
        known = self.cuebot.wait_for(lambda cuebot: len(cuebot.startups) > startups, PATIENCE)
        self._exited.addCallback(self._gone, known)
        try:
            await known
        except CancelledError:
            return False
        return True

    def _gone(self, status: int, known: Deferred[Any]) -> int:
        self.status = status
        known.cancel()
        return status

    def _configure(self) -> int:
        port = free_port()
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
            },
            "runner": {
                "temp_path": self.temp,
                "snapshots_path": self.state,
                "kill_monitor_interval": "20ms",
            },
        }
        for section, values in self._settings.items():
            sections[section] |= values
        with open(f"{self.folder}/rqd.yaml", "w", encoding="utf-8") as file:
            file.write(json.dumps(sections).replace("{folder}", self.folder))
        return port

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
            for gate in self._gates:
                gate.close()
            if self._channel is not None:
                self._channel.close()
            await self.cuebot.stop()
            remains.remove_groups(self.state)
            shutil.rmtree(self.folder)

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
            raise AssertionError(f"the agent ended with {status}\n{self._log_text()}")

    def _log_text(self) -> str:
        return f"--- the end of the agent's log ---\n{self.log[-_SHOWN:].decode(errors='replace')}"

    # -- frames --------------------------------------------------------------------------------

    def request(self, command: str, **fields: Any) -> rqd_pb2.RunFrame:
        """A request as Cuebot makes them, for one point; ``fields`` win."""
        self._launched += 1
        values = {
            "resource_id": str(uuid.uuid4()),
            "job_id": str(uuid.uuid4()),
            "job_name": "show-shot-job",
            "frame_id": str(uuid.uuid4()),
            "frame_name": f"{self._launched:04d}-layer",
            "layer_id": str(uuid.uuid4()),
            "command": command,
            "user_name": "nobody",
            "log_dir": self.logs,
            "show": "show",
            "shot": "shot",
            "num_cores": 1,
        }
        return rqd_pb2.RunFrame(**values | fields)

    def send(self, request: rqd_pb2.RunFrame, timeout: float = PATIENCE) -> Launched:
        """Launch; raises grpc.RpcError."""
        call = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=request)
        self.stub.LaunchFrame(call, timeout=timeout)
        return Launched(request, self.cuebot)

    def launch(self, command: str, **fields: Any) -> Launched:
        return self.send(self.request(command, **fields))

    def gate(self) -> Gate:
        """A place for frames to wait at, until the agent is stopped at the latest."""
        gate = Gate(f"{self.folder}/gate-{len(self._gates)}")
        self._gates.append(gate)
        return gate

    def kill(self, frame_id: str, message: str = "") -> None:
        call = rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame_id, message=message)
        self.stub.KillRunningFrame(call, timeout=PATIENCE)

    def info(self, frame_id: str) -> report_pb2.RunningFrameInfo:
        call = rqd_pb2.RqdStaticGetRunningFrameStatusRequest(frame_id=frame_id)
        return self.stub.GetRunningFrameStatus(call, timeout=PATIENCE).running_frame_info

    def report(self) -> report_pb2.HostReport:
        call = rqd_pb2.RqdStaticReportStatusRequest()
        return self.stub.ReportStatus(call, timeout=PATIENCE).host_report

    # -- what must be so at the end ------------------------------------------------------------

    def remaining(self) -> list[str]:
        """What is left of frames: on disk, as processes, as control groups."""
        pids = [pid for pid in remains.processes(self.folder) if pid != self.pid]
        return [
            *os.listdir(f"{self.state}/frames"),
            *(name for name in os.listdir(self.temp) if name.startswith("openrqd-")),
            *map(str, pids),
            *remains.groups(self.state),
        ]

    async def nothing_left(self) -> None:
        """Wait until nothing is left of any frame; a bit may go on after its completion."""
        try:
            await until(lambda: not self.remaining())
        except AssertionError:
            raise AssertionError(f"left behind: {self.remaining()}") from None
        cores = self.report().core_info
        if cores.booked_cores or cores.idle_cores + cores.locked_cores != CORES * 100:
            raise AssertionError(f"cores leaked: {cores}")
        told = [report.frame.resource_id for report in self.cuebot.completions]
        if len(told) != len(set(told)):
            raise AssertionError("a completion was taken more than once")


class AgentCase(TestCase):
    """Tests on agents of their own; see ``on_agent``."""

    timeout = 120

    def assert_refused(self, code: str, call: Callable[..., Any], *args: Any) -> str:
        """The call ends with the gRPC status of that name and a sentence, which is returned."""
        try:
            call(*args)
        except grpc.RpcError as error:
            self.assertEqual((error.code().name, error.details()), (code, error.details()))
            self.assertRegex(error.details(), r"^[^\n]*\S+ \S+ \S+")
            self.assertNotIn("Traceback", error.details())
            return error.details()
        raise AssertionError(f"not refused, {code} expected")


Steps = Coroutine[Any, Any, None]


def on_agent(
    before: str = "", *, mounts: bool = False, clean: bool = True, **settings: dict[str, Any]
) -> Callable[[Callable[[Any, Agent], Steps]], Callable[[Any], Deferred[None]]]:
    """Run a test method on an agent of its own, with these sections of configuration.

    The agent is stopped at the end, in order and whatever happens. Unless ``clean`` is false the
    test also fails if a frame left anything. What fails carries the agent's log.
    """

    def decorate(test: Callable[[Any, Agent], Steps]) -> Callable[[Any], Deferred[None]]:
        async def steps(case: AgentCase) -> None:
            if mounts and os.geteuid() != 0:
                lacks("mount namespaces need root")
            agent = Agent(**settings)
            case.addCleanup(lambda: Deferred.fromCoroutine(agent.stop()))
            try:
                await agent.start(before, mounts=mounts)
                await test(case, agent)
                if clean:
                    await agent.nothing_left()
            except SkipTest:
                raise
            except BaseException:
                raise AssertionError(f"{traceback.format_exc()}{agent._log_text()}") from None

        @wraps(test)
        def run(case: AgentCase) -> Deferred[None]:
            return Deferred.fromCoroutine(steps(case))

        return run

    return decorate


def without_groups(
    **settings: dict[str, Any],
) -> Callable[[Callable[[Any, Agent], Steps]], Callable[[Any], Deferred[None]]]:
    """``on_agent`` where there are no control groups: none is mounted for the agent."""
    return on_agent(_NO_GROUPS, mounts=True, **settings)


def root_only() -> None:
    """Skip a test that needs to be root."""
    if os.geteuid() != 0:
        lacks("needs root")
