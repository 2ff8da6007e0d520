"""Locks on a real agent: what Cuebot is told of them, and when."""

from __future__ import annotations

from collections.abc import Callable

from rqd.proto import report_pb2, rqd_pb2
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent
from tests.integration.farm import STATUS, FakeCuebot, hang

TOTAL = CORES * 100
#: No status report comes by itself within a test.
SELDOM = {"monitor_interval": "1h"}


def lock(agent: Agent, points: int) -> None:
    agent.stub.Lock(rqd_pb2.RqdStaticLockRequest(cores=points))


def unlock(agent: Agent, points: int) -> None:
    agent.stub.Unlock(rqd_pb2.RqdStaticUnlockRequest(cores=points))


def lock_all(agent: Agent) -> None:
    agent.stub.LockAll(rqd_pb2.RqdStaticLockAllRequest())


def unlock_all(agent: Agent) -> None:
    agent.stub.UnlockAll(rqd_pb2.RqdStaticUnlockAllRequest())


class LockTests(AgentCase):
    """Each change is followed by a status report, long before the next is due."""

    async def told(self, agent: Agent, change: Callable[..., None], *args: int) -> tuple[int, ...]:
        """Make a change; (idle, locked, booked) of the status report that follows."""
        before = len(agent.cuebot.statuses)
        change(agent, *args)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) > before, PATIENCE)
        cores = agent.cuebot.statuses[-1].core_info
        self.assertEqual(agent.report().core_info, cores)
        return cores.idle_cores, cores.locked_cores, cores.booked_cores

    async def begun(self, agent: Agent) -> None:
        """The first status report, which nothing caused, is over."""
        await agent.cuebot.wait_for(lambda cuebot: cuebot.statuses, PATIENCE)

    def assert_sums(self, agent: Agent) -> None:
        reports: list[report_pb2.CoreDetail] = [
            report.core_info for report in [*agent.cuebot.startups, *agent.cuebot.statuses]
        ]
        for cores in reports:
            parts = (cores.idle_cores, cores.locked_cores, cores.booked_cores)
            self.assertEqual((cores.total_cores, sum(parts)), (TOTAL, TOTAL))
            self.assertGreaterEqual(min(parts), 0)

    @on_agent(machine=SELDOM)
    async def test_idle_host(self, agent: Agent) -> None:
        """Locks add up to all there is, and unlocks take off no more than was locked."""
        await self.begun(agent)
        self.assertEqual(await self.told(agent, lock, 150), (TOTAL - 150, 150, 0))
        self.assertEqual(await self.told(agent, lock, 50), (TOTAL - 200, 200, 0))
        self.assertEqual(await self.told(agent, unlock, 120), (TOTAL - 80, 80, 0))
        self.assertEqual(await self.told(agent, unlock, TOTAL), (TOTAL, 0, 0))
        self.assertEqual(await self.told(agent, lock, 10 * TOTAL), (0, TOTAL, 0))
        self.assertEqual(await self.told(agent, unlock_all), (TOTAL, 0, 0))
        self.assertEqual(await self.told(agent, lock_all), (0, TOTAL, 0))
        self.assertEqual(await self.told(agent, unlock, 100), (100, TOTAL - 100, 0))
        self.assert_sums(agent)

    @on_agent(machine=SELDOM)
    async def test_cuebot_hangs(self, agent: Agent) -> None:
        """A change is told although Cuebot hasn't answered the report before."""
        await self.begun(agent)
        agent.cuebot.script(STATUS, hang)
        lock(agent, 100)
        await agent.cuebot.wait_for(lambda cuebot: len(self.statuses(agent)) == 2, PATIENCE)
        lock(agent, 200)
        report = await agent.told(lambda report: report.core_info.locked_cores == 300)
        self.assertIs(self.statuses(agent)[2], report)
        agent.cuebot.release()
        await agent.cuebot.wait_for(self.knows_in_the_end, PATIENCE)

    def knows_in_the_end(self, cuebot: FakeCuebot) -> bool:
        """All reports were answered, and what Cuebot heard last is so."""
        heard = cuebot.statuses
        return len(heard) >= 3 and heard[-1].core_info.locked_cores == 300

    def statuses(self, agent: Agent) -> list[report_pb2.HostReport]:
        """All that have arrived, answered or not."""
        return [report for kind, report in agent.cuebot.attempts if kind == STATUS]

    @on_agent(machine=SELDOM)
    async def test_launches(self, agent: Agent) -> None:
        """Locked cores are given to nobody, and to anybody once they are unlocked.

        A frame that ignores NIMBY ignores nothing else.
        """
        await self.begun(agent)
        lock_all(agent)
        details = self.assert_refused("RESOURCE_EXHAUSTED", agent.send, agent.request("true"))
        self.assertIn(f"{TOTAL} locked", details)
        unlock(agent, 100)
        request = agent.request("true", num_cores=101)
        self.assert_refused("RESOURCE_EXHAUSTED", agent.send, request)
        self.assertEqual((await agent.launch("true", num_cores=100).ended()), (0, 0))
        heedless = agent.request("true", ignore_nimby=True, num_cores=101)
        self.assert_refused("RESOURCE_EXHAUSTED", agent.send, heedless)
        unlock_all(agent)
        self.assertEqual((await agent.launch("true", num_cores=TOTAL).ended()), (0, 0))
        self.assert_sums(agent)

    @on_agent(machine=SELDOM)
    async def test_busy_host(self, agent: Agent) -> None:
        """A lock on cores in use holds once the frames that use them have ended."""
        await self.begun(agent)
        gate = agent.gate()
        frames = [agent.launch(f"read < {gate.path}", num_cores=1000) for _ in range(2)]
        self.assertEqual(await self.told(agent, lock_all), (0, TOTAL - 2000, 2000))
        gate.open()
        await agent.cuebot.wait_for(lambda cuebot: cuebot.completions, PATIENCE)
        self.assertEqual(await self.told(agent, lock, 0), (0, TOTAL - 1000, 1000))
        self.assertEqual(await self.told(agent, unlock_all), (TOTAL - 1000, 0, 1000))
        self.assertEqual(await self.told(agent, lock, 100), (TOTAL - 1100, 100, 1000))
        gate.open()
        for frame in frames:
            await frame.end()
        self.assertEqual(await self.told(agent, lock, 0), (TOTAL - 100, 100, 0))
        self.assert_sums(agent)

    @on_agent(machine={"monitor_interval": "20ms"})
    async def test_sums(self, agent: Agent) -> None:
        """The parts make up the whole in every report, whatever goes on."""
        await self.begun(agent)
        frames = []
        for turn in range(40):
            lock(agent, 700)
            if turn % 10 == 9:
                unlock_all(agent)
            frames.append(agent.launch("true", num_cores=1))
            unlock(agent, 500)
        lock_all(agent)
        for frame in frames:
            self.assertEqual((await frame.ended()), (0, 0))
        unlock_all(agent)
        before = len(agent.cuebot.statuses)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) > before + 3, PATIENCE)
        self.assert_sums(agent)
