"""A real agent whose state folder, or log folder, fills up, fails, hangs, and comes back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import grpc
from twisted.trial.unittest import SkipTest

from rqd.proto import rqd_pb2
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent, root_only
from tests.integration.farm import COMPLETION, ok, refuse
from tests.integration.faultmount import FaultMount, lacking
from tests.integration.launched import Gate, Launched
from tests.integration.log_frames import until
from tests.integration.test_recovery import has_a_record_of_its_end, killed

#: What a local disk that hangs keeps back: names it still knows, as they are in memory.
HANG = [f"{each} hang" for each in ("write", "read", "open", "truncate")]
#: A command that does not fit where something small was just removed.
LONG = f": {'x' * 50_000}"
#: Seconds that a call takes at most that has nothing to wait for.
QUICK = 1.0
FAILS, BACK = b"the state folder fails", b"the state folder is back"
SILENT, ANSWERS = b"the state folder does not answer", b"the state folder answers again"
LOGS_WAIT, LOGS_BACK = b"logs cannot be written", b"logs can be written again"


class FullDisk:
    """A small tmpfs, for the agent's state."""

    def __init__(self, case: AgentCase) -> None:
        root_only()
        self.folder = os.path.abspath(case.mktemp())
        os.mkdir(self.folder)
        command = ["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", self.folder]
        subprocess.run(command, check=True)
        case.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)

    def fill(self) -> None:
        """Leave not one byte."""
        with open(f"{self.folder}/filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                return

    def empty(self) -> None:
        os.unlink(f"{self.folder}/filler")


def full_state(case: TroubleCase, agent: Agent) -> None:
    """Its state is on a small disk."""
    case.disk = FullDisk(case)
    agent.state = f"{case.disk.folder}/state"


def faulty(place: str) -> Callable[[TroubleCase, Agent], None]:
    """Its state, or its logs, are on a disk that fails as it is told to."""

    def prepare(case: TroubleCase, agent: Agent) -> None:
        if (reason := lacking()) is not None:
            raise SkipTest(reason)
        case.mount = FaultMount(os.path.abspath(case.mktemp()))
        case.addCleanup(case.mount.stop)
        setattr(agent, place, f"{case.mount.point}/{place}")

    return prepare


class TroubleCase(AgentCase):
    """Agents in trouble."""

    disk: FullDisk
    mount: FaultMount
    gates: dict[str, Gate]

    async def waiting(self, agent: Agent, many: int, words: str = "") -> list[Launched]:
        """Frames that run until they are let go, without a word: a disk may hang under output.

        In the end they do ``words``.
        """
        self.gates = {}
        frames = []
        for _ in range(many):
            gate = agent.gate()
            wait = f"touch {gate.path}-reached; read < {gate.path}; {words} exit 3"
            frames.append(agent.launch(wait))
            self.gates[frames[-1].id] = gate
        for gate in self.gates.values():
            await until(lambda gate=gate: os.path.exists(f"{gate.path}-reached"))
        return frames

    def let_go(self, *frames: Launched) -> None:
        for frame in frames:
            self.gates[frame.id].open()

    async def ended(self, *frames: Launched) -> None:
        """Each is reported as it ended."""
        for frame in frames:
            self.assertEqual(await frame.ended(), (3, 0))

    def quick(self, agent: Agent) -> None:
        """The agent answers what has nothing to do with disks."""
        before = time.monotonic()
        agent.report()
        self.assertLess(time.monotonic() - before, QUICK)

    def refused(self, agent: Agent, many: int = 1, why: str = "") -> None:
        for _ in range(many):
            told = self.assert_refused("UNAVAILABLE", agent.launch, LONG)
            self.assertIn("the state folder", told)
            self.assertIn(why, told)

    async def back(self, agent: Agent, word: bytes) -> None:
        """The agent has noticed, and takes frames as ever."""
        await until(lambda: word in agent.log, PATIENCE)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))

    def said(self, agent: Agent, *words: bytes) -> None:
        """Each of these once, and hardly anything else that is worse than normal."""
        lines = [line for line in agent.log.splitlines() if b" debug " not in line]
        self.assertEqual([sum(word in line for line in lines) for word in words], [1] * len(words))
        loud = [line for line in lines if b" info " not in line]
        self.assertLessEqual(len(loud), 4, loud)


class StateFolderTests(TroubleCase):
    """Trouble with the state folder."""

    @on_agent(prepare=full_state)
    async def test_full(self, agent: Agent) -> None:
        """Launches are refused, running frames go on and end right, and that is said once."""
        running = await self.waiting(agent, 3)
        self.disk.fill()
        self.refused(agent, 30, "No space left")
        self.quick(agent)
        self.let_go(*running)
        await self.ended(*running)
        for frame in running:
            await until(lambda frame=frame: b"Render Frame Completed" in frame.log)
        self.disk.empty()
        await self.back(agent, BACK)
        self.said(agent, FAILS, BACK)
        self.assertLessEqual(
            len(os.listdir(agent.logs)), 3 + 1 + 1
        )  # one refused has a log, not 30

    @on_agent(prepare=full_state)
    async def test_killed_while_full(self, agent: Agent) -> None:
        """An agent that dies then leaves the right ends to the next, whose disk is full, too."""
        agent.cuebot.always(COMPLETION, refuse())
        running = await self.waiting(agent, 2)
        self.disk.fill()
        self.refused(agent)
        self.let_go(running[0])
        await until(lambda: any(kind == COMPLETION for kind, _ in agent.cuebot.attempts))
        await killed(agent)
        self.let_go(running[1])
        await has_a_record_of_its_end(agent)
        agent.cuebot.always(COMPLETION, ok)
        await agent.start_again()
        await self.ended(*running)
        self.disk.empty()
        self.assertEqual(await agent.launch("true").ended(), (0, 0))

    @on_agent(prepare=faulty("state"))
    async def test_errors(self, agent: Agent) -> None:
        """It is the same with a disk that is read-only, broken, or a stale mount."""
        running = await self.waiting(agent, 3)
        for error, why in (
            ("EROFS", "Read-only"),
            ("EIO", "Input/output"),
            ("ESTALE", "Stale"),
        ):
            self.mount.fail(*(f"{each} {error}" for each in ("write", "create", "open", "rename")))
            self.refused(agent, 3, why)
            frame = running.pop()
            self.let_go(frame)
            await self.ended(frame)
            self.quick(agent)
        self.mount.fail()
        await self.back(agent, BACK)
        self.said(agent, FAILS, BACK)

    @on_agent(prepare=faulty("state"))
    async def test_hangs(self, agent: Agent) -> None:
        """Launches are refused in time, ends are reported, calls are answered all the while."""
        running = await self.waiting(agent, 2)
        self.addCleanup(self.mount.fail)
        self.mount.fail(*HANG)
        before = time.monotonic()
        calls = self.volley(agent, 6)
        await until(lambda: sum(call.done() for call in calls) >= 4)
        self.quick(agent)
        self.let_go(*running)
        await self.ended(*running)
        await until(lambda: all(call.done() for call in calls))
        self.assertLess(time.monotonic() - before, PATIENCE / 2)
        for call in calls:
            self.assertEqual(call.exception().code(), grpc.StatusCode.UNAVAILABLE)
        self.refused(agent, 20, "has not answered for")
        self.quick(agent)
        self.mount.fail()
        await self.back(agent, ANSWERS)
        self.said(agent, SILENT, ANSWERS)
        told = {report.frame.resource_id for report in agent.cuebot.completions}
        self.assertEqual(len(told), 2 + 1)  # nobody hears of those that were refused

    def volley(self, agent: Agent, many: int) -> list[Any]:
        """Launches at once."""
        return [
            agent.stub.LaunchFrame.future(
                rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=agent.request("true")),
                timeout=PATIENCE,
            )
            for _ in range(many)
        ]

    @on_agent("ulimit -f 400", prepare=full_state)
    async def test_file_size_limit(self, agent: Agent) -> None:
        """An agent that may not write large files refuses frames with large records."""
        why = self.assert_refused("UNAVAILABLE", agent.launch, f": {'x' * 300_000}")
        self.assertIn("File too large", why)
        self.assertEqual(await agent.launch("true").ended(), (0, 0))


class LogFolderTests(TroubleCase):
    """Trouble with the log folder."""

    async def told(self, agent: Agent) -> None:
        """It was said once for all logs of the mount that they wait, and once that it is over."""
        await until(lambda: LOGS_BACK in agent.log, PATIENCE)
        self.said(agent, LOGS_WAIT, LOGS_BACK)

    async def whole(self, frames: list[Launched]) -> None:
        """Their logs have all that they printed, and one footer."""
        for frame in frames:
            await until(lambda frame=frame: b"Render Frame Completed" in frame.log)
            self.assertEqual(frame.output, b"last word\n")

    @on_agent(prepare=faulty("logs"))
    async def test_full(self, agent: Agent) -> None:
        """Frames go on, end and are reported on a full disk; their logs are whole later."""
        frames = await self.waiting(agent, 12, "echo last word;")
        self.addCleanup(self.mount.fail)
        self.mount.fail("write ENOSPC")
        self.let_go(*frames)
        await until(lambda: LOGS_WAIT in agent.log)
        self.quick(agent)
        self.mount.fail()
        await self.ended(*frames)
        await self.whole(frames)
        await self.told(agent)

    @on_agent(prepare=faulty("logs"))
    async def test_hangs(self, agent: Agent) -> None:
        """A folder that hangs holds up no launch, no call, and no completion for long."""
        frames = await self.waiting(agent, 12, "echo last word;")
        self.addCleanup(self.mount.fail)
        self.mount.fail("* hang")
        self.let_go(*frames)
        late = agent.launch("echo last word; exit 3")
        self.quick(agent)
        await self.ended(*frames, late)
        self.quick(agent)
        self.mount.fail()
        await self.whole([*frames, late])
        await self.told(agent)
