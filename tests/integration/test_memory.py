"""Frames and the host's memory, on a real agent."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from twisted.internet.defer import Deferred

from rqd.proto import report_pb2
from rqd.system import oomscore
from tests.environments import lacks
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent
from tests.integration.farm import FakeCuebot
from tests.integration.launched import Launched
from tests.integration.log_frames import until
from tests.integration.test_frame_status import told

OFTEN = {"monitor_interval": "100ms"}
MIB = 1024
#: Holds that many MiB until it is ended.
HOLDS = (
    'exec python3 -c \'import time; x = b"x" * ({} << 20); print("ready", flush=True);'
    " time.sleep(60)'"
)
#: In the agent's own mount namespace, ``meminfo`` is what the test writes.
MEMINFO = """
printf 'MemTotal: 1000000 kB\\nMemAvailable: 500000 kB\\n' > $folder/meminfo
mount --bind $folder/meminfo /proc/meminfo
"""
V1 = Path("/sys/fs/cgroup/memory")


def short_of(agent: Agent, available: int) -> None:
    """From now on so much of a GB is available, in KiB."""
    text = f"MemTotal: 1000000 kB\nMemAvailable: {available} kB\n"
    with open(f"{agent.folder}/meminfo", "r+") as meminfo:
        meminfo.write(text)
        meminfo.truncate()


async def measured(frame: Launched, agent: Agent, pss: int) -> report_pb2.RunningFrameInfo:
    """Wait until Cuebot is told that the frame uses so much."""

    def enough(cuebot: FakeCuebot) -> report_pb2.RunningFrameInfo | None:
        info = told(frame, cuebot)
        return info if info and info.pss > pss else None

    info: report_pb2.RunningFrameInfo = await agent.cuebot.wait_for(enough, PATIENCE)
    return info


class ProtectionTests(AgentCase):
    """The host runs short."""

    @on_agent(MEMINFO, mounts=True, machine=OFTEN)
    async def test_short(self, agent: Agent) -> None:
        """The frame that is over its limit ends with 33, the one within it goes on."""
        gate = agent.gate()
        good = agent.launch(f"read < {gate.path}", soft_memory_limit=500 * MIB)
        bad = agent.launch(HOLDS.format(150), soft_memory_limit=50 * MIB)
        await measured(bad, agent, 150 * MIB)
        short_of(agent, 1000)
        report = await bad.end()
        self.assertEqual((report.exit_status, report.exit_signal), (1, 33))
        self.assertGreater(report.frame.max_pss, 150 * MIB)
        said = bad.footer_value("killMessage")
        self.assertIn("the host ran out of memory: 99.9 % of 0.95 GiB used", said)
        self.assertIn("over its limit of 0.05 GiB", said)
        await until(lambda: said.encode() in agent.log)
        short_of(agent, 500_000)
        gate.open()
        self.assertEqual(await good.ended(), (0, 0))

    @on_agent(MEMINFO, mounts=True, machine=OFTEN | {"memory_oom_margin_percentage": 100})
    async def test_off(self, agent: Agent) -> None:
        """With the protection off, a frame may use what it likes."""
        frame = agent.launch(HOLDS.format(50), soft_memory_limit=MIB)
        await measured(frame, agent, 50 * MIB)
        short_of(agent, 0)
        seen = len(agent.cuebot.statuses)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) > seen + 5, PATIENCE)
        agent.kill(frame.id)
        self.assertEqual(await frame.ended(), (1, 15))


class ScoreTests(AgentCase):
    """Whom the kernel would kill."""

    @on_agent()
    async def test_frames(self, agent: Agent) -> None:
        """Frames before everything else, and the supervisor of a frame no sooner than the agent."""
        frame = agent.launch("echo $PPID $(cat /proc/self/oom_score_adj) ready; sleep 60")
        await frame.says(b"ready")
        _, supervisor, score, _ = frame.log.splitlines()[-1].decode().split()
        self.assertEqual(int(score), oomscore.FRAME)
        self.assertEqual(adjustment(int(supervisor)), adjustment(agent.pid))
        agent.kill(frame.id)
        await frame.end()

    @on_agent()
    async def test_agent(self, agent: Agent) -> None:
        """The agent protects itself, or says that it may not."""
        await until(
            lambda: (
                adjustment(agent.pid) <= oomscore.AGENT or b"agent is not protected" in agent.log
            )
        )


def adjustment(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


class KernelTests(AgentCase):
    """What the kernel kills."""

    def limited(self) -> Path:
        """A group of this test's, of 50 MiB."""
        if not V1.joinpath("memory.limit_in_bytes").exists() or os.geteuid() != 0:
            lacks("a v1 memory controller that the tests may write to")
        group = V1 / f"openrqd-test-{uuid.uuid4()}"
        group.mkdir()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.remove(group)))
        (group / "memory.limit_in_bytes").write_text(str(50 << 20))
        with contextlib.suppress(OSError):  # without swap accounting there is no such file
            (group / "memory.memsw.limit_in_bytes").write_text(str(50 << 20))
        return group

    async def remove(self, group: Path) -> None:
        await until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()

    @on_agent()
    async def test_killed(self, agent: Agent) -> None:
        """A frame that the kernel killed for want of memory ends with 33, and its log says so."""
        group = self.limited()
        frame = agent.launch(f"echo $$ > {group}/cgroup.procs; {HOLDS.format(500)}")
        self.assertEqual(await frame.ended(), (1, 33))
        self.assertIn("the kernel killed processes of this frame", frame.footer_value("remark"))
        self.assertNotIn(b"ready", frame.output)
        await until(lambda: b"the kernel killed processes of this frame" in agent.log)

    @on_agent()
    async def test_killed_by_hand(self, agent: Agent) -> None:
        """One that somebody else killed ends with the signal.

        Not at once if the kernel has just killed something for another test: then nobody can tell.
        """
        for _ in range(50):
            ended = await agent.launch("sleep 0.2; kill -9 $$").ended()
            if ended == (1, 9):
                return
        self.fail(f"it always ends with {ended}")
