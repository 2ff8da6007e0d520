"""Many short frames at once: each is reported, right and once, and the agent is as before."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc
from twisted.internet.threads import deferToThread

from rqd.proto import rqd_pb2, rqd_pb2_grpc
from tests.integration import remains
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent
from tests.integration.footprint import BERTHS, footprint
from tests.integration.log_frames import until

#: How many frames; 5,000 by hand, and in CI what it has time for.
FRAMES = int(os.environ.get("OPENRQD_TEST_FRAMES", "500"))
CLIENTS = 16


def launch(port: int, requests: list[rqd_pb2.RunFrame]) -> None:
    """One client, on a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        stub = rqd_pb2_grpc.RqdInterfaceStub(channel)
        for request in requests:
            call = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=request)
            stub.LaunchFrame(call, timeout=PATIENCE)


def launch_all(port: int, requests: list[rqd_pb2.RunFrame]) -> None:
    """Sixteen clients at once; raises what any of them met."""
    shares = [requests[number::CLIENTS] for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(partial(launch, port), shares))


class ManyFrameTests(AgentCase):
    """Through sixteen clients."""

    timeout = 60 + FRAMES // 5

    @on_agent(machine={"override_real_values": {"cores": 64, "hostname": "render042"}})
    async def test_many(self, agent: Agent) -> None:
        """No completion is lost, wrong or doubled; no zombie, descriptor, thread or core leaks."""
        await agent.launch("true").end()
        await agent.nothing_left()
        before = footprint(agent.pid).descriptors
        requests = [agent.request("/bin/true") for _ in range(FRAMES)]
        await deferToThread(launch_all, agent.port, requests)
        await agent.cuebot.wait_for(
            lambda cuebot: len(cuebot.completions) >= FRAMES + 1, self.timeout
        )
        await agent.nothing_left()
        ends = Counter(
            (
                report.frame.resource_id,
                report.frame.frame_id,
                report.exit_status,
                report.exit_signal,
            )
            for report in agent.cuebot.completions[1:]
        )
        wanted = Counter((request.resource_id, request.frame_id, 0, 0) for request in requests)
        self.assertEqual(ends - wanted, Counter())
        self.assertEqual(wanted - ends, Counter())
        await until(lambda: footprint(agent.pid).descriptors <= before + BERTHS)
        await until(lambda: remains.frames(agent.pid) == [])
        self.assertEqual(len(os.listdir(agent.logs)), FRAMES + 1)

    @on_agent()
    async def test_threads(self, agent: Agent) -> None:
        """As many threads serve two hundred running frames as serve one."""
        gate = agent.gate()
        first = agent.launch(f"echo ready; read < {gate.path}")
        await first.says(b"ready")
        before = footprint(agent.pid).threads
        frames = [agent.launch(f"echo ready; read < {gate.path}") for _ in range(200)]
        for frame in frames:
            await frame.says(b"ready")
        self.assertLessEqual(footprint(agent.pid).threads, before + 8)
        for _ in range(201):
            gate.open()
        for frame in [first, *frames]:
            self.assertEqual((await frame.ended()), (0, 0))
