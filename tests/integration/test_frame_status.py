"""What a real agent tells of the frames that run, when asked and by itself."""

from __future__ import annotations

import json
import time
from typing import Any

from rqd.proto import report_pb2, rqd_pb2
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent
from tests.integration.farm import FakeCuebot
from tests.integration.launched import Launched

OFTEN = {"monitor_interval": "100ms"}
#: KiB.
MIB = 1024
#: A child holds 64 MiB (it waits for the end of a line) until the gate opens.
HOLDS = "(head -c 64M /dev/zero; read < {}) | tail >/dev/null"


def told(frame: Launched, cuebot: FakeCuebot) -> report_pb2.RunningFrameInfo | None:
    """The newest that Cuebot was told of a frame."""
    if cuebot.statuses:
        for info in cuebot.statuses[-1].frames:
            if info.resource_id == frame.request.resource_id:
                return info
    return None


class AskedTests(AgentCase):
    """The calls."""

    @on_agent()
    async def test_calls(self, agent: Agent) -> None:
        """A frame is known by its id, as it was launched and as it runs, and once over is not."""
        gate = agent.gate()
        frame = agent.launch(
            f"echo ready; read < {gate.path}", environment={"A": "1"}, soft_memory_limit=1 << 40
        )
        await frame.says(b"ready")
        call = rqd_pb2.RqdStaticGetRunFrameRequest(frame_id=frame.id)
        self.assertEqual(agent.stub.GetRunFrame(call).run_frame, frame.request)
        info = agent.info(frame.id)
        by_frame = agent.frame_stub.Status(
            rqd_pb2.RunningFrameStatusRequest(run_frame=frame.request)
        )
        self.assertEqual(by_frame.running_frame_info.resource_id, info.resource_id)
        for name in ("resource_id", "job_id", "job_name", "frame_id", "frame_name", "layer_id"):
            self.assertEqual(getattr(info, name), getattr(frame.request, name))
        self.assertEqual(info.num_cores, 1)
        self.assertLess(abs(info.start_time / 1000 - time.time()), PATIENCE)
        self.assertEqual(agent.report().core_info.booked_cores, 1)
        gate.open()
        await frame.end()
        self.assert_unknown(agent, frame.request)

    @on_agent()
    async def test_unknown(self, agent: Agent) -> None:
        """NOT_FOUND for a frame that does not run here, whatever its id."""
        for frame_id in ("nobody", "../../etc", "ü\n", "x" * 100_000):
            self.assert_unknown(agent, rqd_pb2.RunFrame(frame_id=frame_id))
        self.assert_refused("INVALID_ARGUMENT", agent.info, "")

    def assert_unknown(self, agent: Agent, request: rqd_pb2.RunFrame) -> None:
        name = request.frame_id
        calls: list[tuple[Any, Any]] = [
            (agent.stub.GetRunFrame, rqd_pb2.RqdStaticGetRunFrameRequest(frame_id=name)),
            (
                agent.stub.GetRunningFrameStatus,
                rqd_pb2.RqdStaticGetRunningFrameStatusRequest(frame_id=name),
            ),
            (agent.stub.KillRunningFrame, rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=name)),
            (agent.frame_stub.Kill, rqd_pb2.RunningFrameKillRequest(run_frame=request)),
            (agent.frame_stub.Status, rqd_pb2.RunningFrameStatusRequest(run_frame=request)),
        ]
        for method, call in calls:
            self.assert_refused("NOT_FOUND", method, call)

    @on_agent()
    async def test_host(self, agent: Agent) -> None:
        """The host's report holds what its startup report said, and what is there is counted."""
        report = agent.report()
        boot = agent.cuebot.startups[0]
        for name in ("name", "facility", "num_procs", "cores_per_proc", "boot_time", "total_mem"):
            self.assertEqual(getattr(report.host, name), getattr(boot.host, name), name)
        self.assertEqual(report.core_info.total_cores, CORES * 100)
        self.assertGreater(report.host.total_mcp, 0)
        self.assertTrue(report.host.attributes["swapout"].isdigit())


class StatisticsTests(AgentCase):
    """The samples."""

    @on_agent(machine=OFTEN)
    async def test_memory(self, agent: Agent) -> None:
        """Each process of a frame is in the status reports, in KiB; the sum is the frame's."""
        gate = agent.gate()
        frame = agent.launch(HOLDS.format(gate.path))

        def held(cuebot: FakeCuebot) -> report_pb2.RunningFrameInfo | None:
            info = told(frame, cuebot)
            holds = info and any(child.stat.rss > 64 * MIB for child in info.children.children)
            return info if holds else None

        info = await agent.cuebot.wait_for(held, PATIENCE)
        self.assertLess(info.rss, 200 * MIB)
        self.assertGreaterEqual(info.max_rss, info.rss)
        self.assertGreaterEqual(info.vsize, info.rss)
        self.assertGreater(info.pss, 63 * MIB / 1.1)  # read anew once rss grew by 10 % and 1 MiB
        self.assertLessEqual(info.pss, info.rss)
        self.assertGreaterEqual(float(info.attributes["pcpu"]), 0)
        children = {child.stat.name: child for child in info.children.children}
        tail = children["tail"]
        self.assertTrue(64 * MIB < tail.stat.rss < 100 * MIB, tail)
        self.assertEqual((tail.statm.rss, tail.statm.size), (tail.stat.rss, tail.stat.vsize))
        self.assertIn("tail", tail.cmdline)
        started = time.mktime(time.strptime(tail.start_time, "%Y-%m-%d %H:%M:%S"))
        self.assertLess(abs(started - time.time()), PATIENCE)
        self.assertEqual(sum(c.stat.rss for c in info.children.children), info.rss)
        agent.kill(frame.id)
        report = await frame.end()
        self.assertGreater(report.frame.max_rss, 64 * MIB)
        self.assertGreater(int(frame.footer_value("maxrss")), 64 * MIB)

    @on_agent(machine=OFTEN)
    async def test_every_process(self, agent: Agent) -> None:
        """All of a frame's processes are told, whatever they are called and however many."""
        odd = f"{agent.folder}/x) R 1\n2"
        frame = agent.launch(
            f'ln -s "$(command -v sleep)" "{odd}"; "{odd}" 60 & for i in $(seq 99); do sleep 60 &'
            " done; echo ready; wait"
        )

        def all_of(cuebot: FakeCuebot) -> list[report_pb2.ProcStats] | None:
            info = told(frame, cuebot)
            children = list(info.children.children) if info else []
            sleeping = [child for child in children if child.cmdline.endswith(" 60")]
            return children if len(sleeping) == 100 else None

        children = await agent.cuebot.wait_for(all_of, PATIENCE)
        self.assertEqual(len({child.stat.pid for child in children}), len(children))
        (strange,) = (child for child in children if child.stat.name == "x) R 1\n2")
        self.assertEqual(strange.cmdline, f"{odd} 60")
        self.assertIn(strange.stat.state, "RSD")
        agent.kill(frame.id)
        await frame.end()

    @on_agent(machine=OFTEN)
    async def test_high_water(self, agent: Agent) -> None:
        """What a frame used at its highest stays known when it uses less."""
        gate = agent.gate()
        frame = agent.launch(f"{HOLDS.format(gate.path)}; echo less; read < {gate.path}")
        await agent.cuebot.wait_for(
            lambda cuebot: (info := told(frame, cuebot)) and info.rss > 64 * MIB, PATIENCE
        )
        gate.open()
        await frame.says(b"less")
        less = await agent.cuebot.wait_for(
            lambda cuebot: (info := told(frame, cuebot)) and info.rss < 32 * MIB and info, PATIENCE
        )
        self.assertGreater(less.max_rss, 64 * MIB)
        gate.open()
        await frame.end()

    @on_agent(machine=OFTEN)
    async def test_processor_time(self, agent: Agent) -> None:
        """A frame that computes uses about a core, one that waits none."""
        gate = agent.gate()
        busy = agent.launch("while :; do :; done")
        idle = agent.launch(f"read < {gate.path}")

        def used(frame: Launched, cuebot: FakeCuebot) -> float:
            info = told(frame, cuebot)
            return float(info.attributes["pcpu"]) if info and "pcpu" in info.attributes else -1.0

        await agent.cuebot.wait_for(lambda cuebot: used(busy, cuebot) > 0.1, PATIENCE)
        await agent.cuebot.wait_for(lambda cuebot: 0 <= used(idle, cuebot) < 0.1, PATIENCE)
        agent.kill(busy.id)
        gate.open()
        await busy.end()
        await idle.end()

    @on_agent(machine=OFTEN)
    async def test_last_output(self, agent: Agent) -> None:
        """The time of the last output goes on with each output, and with nothing else."""
        gate = agent.gate()
        frame = agent.launch(f"echo one; read < {gate.path}; echo two; read < {gate.path}")
        await frame.says(b"one")
        first = agent.info(frame.id).llu_time
        self.assertLess(abs(first - time.time()), PATIENCE)
        await agent.cuebot.wait_for(
            lambda cuebot: told(frame, cuebot) and time.time() > first + 1.5, PATIENCE
        )
        self.assertEqual(agent.info(frame.id).llu_time, first)
        gate.open()
        await frame.says(b"two")
        self.assertGreater(agent.info(frame.id).llu_time, first)
        gate.open()
        await frame.end()

    @on_agent(machine=OFTEN)
    async def test_every_frame(self, agent: Agent) -> None:
        """A status report tells of all frames that run, and of none that has ended."""
        gate = agent.gate()
        frames = [agent.launch(f"read < {gate.path}") for _ in range(20)]
        ids = {frame.id for frame in frames}
        await agent.cuebot.wait_for(
            lambda cuebot: (
                cuebot.statuses
                and {info.frame_id for info in cuebot.statuses[-1].frames} == ids
                and cuebot.statuses[-1].core_info.booked_cores == 20
            ),
            PATIENCE,
        )
        for _ in frames:
            gate.open()
        for frame in frames:
            await frame.end()
        await agent.cuebot.wait_for(lambda cuebot: not cuebot.statuses[-1].frames, PATIENCE)


class AgentLogTests(AgentCase):
    """What the agent's own log says of frames."""

    @on_agent(logging={"json": True})
    async def test_json(self, agent: Agent) -> None:
        """As JSON, the start and the end of a frame are objects with its id, pid and status."""
        frame = agent.launch("exit 3")
        await frame.end()
        await agent.nothing_left()
        events = [json.loads(line) for line in agent.log.splitlines()]
        mine = [event for event in events if event.get("frame_id") == frame.id]
        self.assertTrue(any("pid" in event for event in mine), mine)
        self.assertTrue(any(event.get("status") == 3 for event in mine), mine)
