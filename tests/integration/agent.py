"""A real agent for tests: its own process, folders and port, and a Cuebot in the test process."""

from __future__ import annotations

import itertools
import os
import traceback
import uuid
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import grpc
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from rqd.proto import host_pb2, report_pb2, rqd_pb2
from tests.environments import lacks
from tests.integration import remains
from tests.integration.agent_process import CORES, PATIENCE, AgentProcess
from tests.integration.farm import FakeCuebot
from tests.integration.launched import Gate, Launched
from tests.integration.log_frames import until

__all__ = ["CORES", "PATIENCE", "Agent", "AgentCase", "on_agent", "root_only", "without_groups"]

_NO_GROUPS = "for m in $(awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo); do umount -l $m; done"


class Agent(AgentProcess):
    """An agent, and what tests ask of it."""

    def __init__(self, **settings: dict[str, Any]) -> None:
        super().__init__(**settings)
        self._numbers = itertools.count(1)

    # -- frames --------------------------------------------------------------------------------

    def request(self, command: str, **fields: Any) -> rqd_pb2.RunFrame:
        """A request as Cuebot makes them, for one point; ``fields`` win."""
        values = {
            "resource_id": str(uuid.uuid4()),
            "job_id": str(uuid.uuid4()),
            "job_name": "show-shot-job",
            "frame_id": str(uuid.uuid4()),
            "frame_name": f"{next(self._numbers):04d}-layer",
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
        gate = Gate(f"{self.folder}/gate-{len(self.gates)}")
        self.gates.append(gate)
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

    # -- the host ------------------------------------------------------------------------------

    def call(self, method: str) -> None:
        """Call a method of RqdInterface whose request is empty; raises grpc.RpcError."""
        name = method.replace("RqdIdle", "Idle").replace("RqdNow", "Now")
        request = getattr(rqd_pb2, f"RqdStatic{name}Request")()
        getattr(self.stub, method)(request, timeout=PATIENCE)

    def lock(self, points: int) -> None:
        self.stub.Lock(rqd_pb2.RqdStaticLockRequest(cores=points), timeout=PATIENCE)

    def unlock(self, points: int) -> None:
        self.stub.Unlock(rqd_pb2.RqdStaticUnlockRequest(cores=points), timeout=PATIENCE)

    @property
    def hardware_state(self) -> str:
        """The hardware state, as it would be reported now."""
        return state_of(self.report())

    async def told(
        self, predicate: Callable[[report_pb2.HostReport], bool], since: int = 0
    ) -> report_pb2.HostReport:
        """Wait for a status report, after the first ``since``, of which this is true."""

        def found(cuebot: FakeCuebot) -> report_pb2.HostReport | None:
            return next(filter(predicate, cuebot.statuses[since:]), None)

        report: report_pb2.HostReport = await self.cuebot.wait_for(found, PATIENCE)
        return report

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


def state_of(report: report_pb2.HostReport) -> str:
    """The name of its hardware state."""
    return host_pb2.HardwareState.Name(report.host.state)


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
    before: str = "",
    *,
    mounts: bool = False,
    clean: bool = True,
    prepare: Callable[[AgentCase, Agent], object] | None = None,
    **settings: dict[str, Any],
) -> Callable[[Callable[[Any, Agent], Steps]], Callable[[Any], Deferred[None]]]:
    """Run a test method on an agent of its own, with these sections of configuration.

    The agent is stopped at the end, in order and whatever happens; what ``prepare`` has added as
    clean-ups comes after that. Unless ``clean`` is false the test also fails if a frame left
    anything. What fails carries the agent's log.
    """

    def decorate(test: Callable[[Any, Agent], Steps]) -> Callable[[Any], Deferred[None]]:
        async def steps(case: AgentCase) -> None:
            if mounts and os.geteuid() != 0:
                lacks("mount namespaces need root")
            agent = Agent(**settings)
            if prepare is not None:
                prepare(case, agent)
            case.addCleanup(lambda: Deferred.fromCoroutine(agent.stop()))
            try:
                await agent.start(before, mounts=mounts)
                await test(case, agent)
                if clean:
                    await agent.nothing_left()
            except SkipTest:
                raise
            except BaseException:
                raise AssertionError(f"{traceback.format_exc()}{agent.log_text()}") from None

        @wraps(test)
        def run(case: AgentCase) -> Deferred[None]:
            return Deferred.fromCoroutine(steps(case))

        return run

    return decorate


def without_groups(
    before: str = "", **settings: dict[str, Any]
) -> Callable[[Callable[[Any, Agent], Steps]], Callable[[Any], Deferred[None]]]:
    """``on_agent`` where there are no control groups: none is mounted for the agent."""
    return on_agent(f"{_NO_GROUPS}\n{before}", mounts=True, **settings)


def root_only() -> None:
    """Skip a test that needs to be root."""
    if os.geteuid() != 0:
        lacks("needs root")
