"""Logs of a real agent that dies while their folder, or the disk of the spools, has trouble."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from rqd.proto import rqd_pb2
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent, root_only
from tests.integration.faultmount import FaultMount, lacking
from tests.integration.launched import Gate, Launched
from tests.integration.log_frames import until

DIRECT = {"prepend_timestamp": False}
WAITS = b"text waits"
WHOLE = re.compile(rb"\nRender Frame Completed\n.*\n=+\n$", re.DOTALL)


class FaultyLogTests(AgentCase):
    """The log folder is on a mount that does what it is told."""

    def faulty(self) -> FaultMount:
        if (reason := lacking()) is not None:
            raise SkipTest(reason)
        mount = FaultMount(os.path.abspath(self.mktemp()))
        self.addCleanup(mount.stop)
        return mount

    def launch(self, agent: Agent, mount: FaultMount, command: str) -> Launched:
        """The frame logs on the mount; its log is read past that."""
        frame = agent.launch(command, log_dir=mount.point)
        seen = rqd_pb2.RunFrame()
        seen.CopyFrom(frame.request)
        seen.log_dir = mount.real
        return Launched(seen, agent.cuebot)

    async def halfway(self, agent: Agent) -> tuple[FaultMount, Gate, Launched]:
        """A frame that logs on such a mount, and has more to say once the gate is open."""
        mount = self.faulty()
        gate = agent.gate()
        frame = self.launch(agent, mount, f"echo one; read < {gate.path}; echo two; exit 3")
        await frame.says(b"one")
        return mount, gate, frame

    async def whole(self, frame: Launched) -> None:
        """Wait for the end of the log: all is there, once."""
        await until(lambda: WHOLE.search(frame.log), PATIENCE)
        self.assertEqual(frame.log.count(b"Render Frame Completed"), 1)
        self.assertEqual(frame.output, b"one\ntwo\n")
        self.assertEqual(frame.footer_value("exitStatus"), "3")

    async def hangs_while_away(self, agent: Agent) -> None:
        mount, gate, frame = await self.halfway(agent)
        await agent.end(signal.SIGKILL)
        mount.fail("* hang")
        gate.open()
        await agent.start_again()
        self.assertNotIn(b"two\n", frame.log.splitlines(keepends=True))
        mount.fail()
        self.assertEqual(await frame.ended(), (3, 0))
        await self.whole(frame)

    @on_agent()
    async def test_hangs_while_away(self, agent: Agent) -> None:
        """A folder that hangs when an agent starts: it serves, and the log follows."""
        await self.hangs_while_away(agent)

    @on_agent(runner=DIRECT)
    async def test_hangs_while_away_direct(self, agent: Agent) -> None:
        """So it is for a frame that hangs with its log."""
        await self.hangs_while_away(agent)

    @on_agent()
    async def test_ended_and_hangs(self, agent: Agent) -> None:
        """A frame that ended while no agent lived is reported although its log can't follow."""
        mount, gate, frame = await self.halfway(agent)
        await agent.end(signal.SIGKILL)
        mount.fail("* hang")
        gate.open()
        chains = Path(agent.state, "berths")
        await until(lambda: any(b"\nexit 3" in c.read_bytes() for c in chains.glob("*.chain")))
        await agent.start_again()
        self.assertEqual(await frame.ended(), (3, 0))
        self.assertNotIn(b"Render Frame Completed", frame.log)
        mount.fail()
        await self.whole(frame)

    @on_agent()
    async def test_killed_amid_a_hang(self, agent: Agent) -> None:
        """An agent that is killed while a write hangs is dead once that returns; all is there."""
        mount, gate, frame = await self.halfway(agent)
        mount.fail("* hang")
        gate.open()
        await until(lambda: hangs(agent.pid), PATIENCE)
        agent.signal(signal.SIGKILL)
        mount.fail()
        await agent.exit()
        await agent.start_again()
        self.assertEqual(await frame.ended(), (3, 0))
        await self.whole(frame)

    async def fails(self, agent: Agent, error: str) -> None:
        """All writes fail under two agents, then they don't."""
        mount, gate, frame = await self.halfway(agent)
        mount.fail(f"write {error}", f"flush {error}", f"fsync {error}")
        gate.open()
        await until(lambda: agent.log.count(WAITS) == 1, PATIENCE)
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        await until(lambda: agent.log.count(WAITS) == 1, PATIENCE)
        self.assertEqual(await frame.ended(), (3, 0))
        mount.fail()
        await self.whole(frame)
        self.assertEqual(agent.log.count(WAITS), 1)

    @on_agent()
    async def test_full(self, agent: Agent) -> None:
        """A log folder that is full over a restart: text and footer follow when it is not."""
        await self.fails(agent, "ENOSPC")

    @on_agent()
    async def test_broken(self, agent: Agent) -> None:
        await self.fails(agent, "EIO")

    @on_agent()
    async def test_stale(self, agent: Agent) -> None:
        await self.fails(agent, "ESTALE")

    @on_agent(runner=DIRECT)
    async def test_full_direct(self, agent: Agent) -> None:
        """A footer that finds no room under two agents comes once, when there is some."""
        mount = self.faulty()
        gate = agent.gate()
        frame = self.launch(agent, mount, f"echo one; echo two; read < {gate.path}; exit 3")
        await frame.says(b"two")
        mount.fail("write ENOSPC")
        gate.open()
        await until(lambda: b"logs cannot be written" in agent.log, PATIENCE)
        await agent.end(signal.SIGKILL)
        await agent.start_again()
        self.assertEqual(await frame.ended(), (3, 0))
        mount.fail()
        await self.whole(frame)


#: Prints 300 kB, and waits until the log has them; thirty times.
KEEPS_PACE = """
size() { stat -c %s "$logfile"; }
for i in $(seq 30); do
  had=$(size); head -c 300000 /dev/zero | tr '\\0' x; echo
  until [ $(size) -gt $((had + 300000)) ]; do sleep 0.01; done
done
"""
#: Prints until nothing more can be printed, and tells how many lines that were.
FILLS = """
echo start; until [ -e {folder}/go ]; do sleep 0.01; done
line=$(head -c 99999 /dev/zero | tr '\\0' x); i=0
while echo $line; do i=$((i + 1)); done 2>/dev/null
echo $i > {folder}/printed; exit 3
"""
SMALL = "mkdir $folder/state; mount -t tmpfs -o size=2m none $folder/state"


class SmallDiskTests(AgentCase):
    """The state folder is on a disk of 2 MiB."""

    def unmount(self, agent: Agent) -> None:
        self.addCleanup(subprocess.run, ["umount", "-l", agent.state], check=True)

    def setUp(self) -> None:
        root_only()

    @on_agent(SMALL)
    async def test_keeps_pace(self, agent: Agent) -> None:
        """More goes through a spool than its disk holds, as long as the log keeps pace."""
        self.unmount(agent)
        frame = agent.launch(KEEPS_PACE)
        self.assertEqual(await frame.ended(), (0, 0))
        self.assertEqual(frame.output, (b"x" * 300_000 + b"\n") * 30)

    @on_agent(SMALL, clean=False)
    async def test_full(self, agent: Agent) -> None:
        """Where it doesn't, the frame's own writes fail; the log has all that found room."""
        self.unmount(agent)
        folder = f"{agent.logs}/there"
        frame = agent.launch(FILLS.format(folder=agent.folder), log_dir=folder)
        await frame.says(b"start\n")
        os.rename(folder, folder + ".away")
        Path(folder).write_bytes(b"")
        Path(agent.folder, "go").write_bytes(b"")
        self.assertEqual(await frame.ended(), (3, 0))
        os.unlink(folder)
        os.rename(folder + ".away", folder)
        await until(lambda: WHOLE.search(frame.log), PATIENCE)
        printed = int(Path(agent.folder, "printed").read_bytes())
        self.assertGreater(printed, 10)
        lines = b"start\n" + (b"x" * 99_999 + b"\n") * printed
        self.assertTrue(frame.output.startswith(lines))
        self.assertEqual(frame.output[len(lines) :].strip(b"x\n"), b"")
        self.assertEqual(agent.log.count(WAITS), 1)
        self.assertEqual(await agent.launch("exit 4").ended(), (4, 0))


def hangs(pid: int) -> bool:
    """Whether a thread of the process waits for an answer of a FUSE file system."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return any((task / "wchan").read_text() == "request_wait_answer" for task in tasks)
