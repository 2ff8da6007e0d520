"""Cuebot and agent meet over IPv6."""

from __future__ import annotations

import socket

import grpc
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from rqd.config.endpoints import endpoint
from rqd.proto import rqd_pb2_grpc
from tests.environments import lacks
from tests.integration.agent import Agent, AgentCase
from tests.integration.farm import FakeCuebot

LOOPBACK = "[::1]"


class Ipv6Tests(AgentCase):
    """An agent that listens on ``::1`` alone, and has one Cuebot, which does the same."""

    def setUp(self) -> None:
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError as problem:
            lacks(f"no IPv6 here: {problem}")

    def test_frame(self) -> Deferred[None]:
        """A frame is launched, and its end reported."""
        return Deferred.fromCoroutine(self._frame())

    async def _frame(self) -> None:
        agent = Agent(grpc={"rqd_interface": "::1"})
        self.addCleanup(lambda: Deferred.fromCoroutine(agent.stop()))
        await agent.cuebot.stop()
        agent.cuebot = FakeCuebot(reactor, address=LOOPBACK)
        self.assertEqual(endpoint(agent.cuebot.endpoint), agent.cuebot.endpoint)
        await agent.start()
        with grpc.insecure_channel(f"{LOOPBACK}:{agent.port}") as channel:
            agent.stub = rqd_pb2_grpc.RqdInterfaceStub(channel)
            launched = agent.launch("exit 3")
            await agent.cuebot.wait_for(lambda cuebot: cuebot.completions)
            await agent.nothing_left()
        (report,) = agent.cuebot.completions
        self.assertEqual(report.frame.frame_id, launched.request.frame_id)
        self.assertEqual(report.exit_status, 3)
