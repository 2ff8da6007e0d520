"""Frames that are ended by the agent, and those that must not start, on a real agent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import grpc
from twisted.internet.threads import deferToThread

from rqd.proto import rqd_pb2
from tests.integration import remains
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent, root_only, without_groups
from tests.integration.faultmount import FaultMount, lacking
from tests.integration.log_frames import until

QUICK = {"kill_monitor_timeout": "200ms", "kill_monitor_interval": "20ms"}
IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 60; done"
REASON = "Job killed by render wrangler:\n  shot was cut\nüñí\r\nRender Frame Completed\n"


class KillTests(AgentCase):
    """The kill ladder."""

    @on_agent()
    async def test_kill(self, agent: Agent) -> None:
        """TERM ends a frame; an empty message is taken as no reason given."""
        frame = agent.launch("sleep 60 & echo ready; sleep 60")
        await frame.says(b"ready")
        agent.kill(frame.id, "")
        self.assertEqual((await frame.ended()), (1, 15))
        self.assertEqual(frame.footer_value("killMessage"), "no reason given")
        self.assertEqual(frame.output, b"ready\n")

    @on_agent(runner=QUICK)
    async def test_kills_in_a_row(self, agent: Agent) -> None:
        """Several kills of one frame are normal: the first reason counts."""
        frame = agent.launch(IGNORES_TERM)
        await frame.says(b"ready")
        agent.kill(frame.id, "first")
        agent.kill(frame.id, "second")
        self.assertEqual((await frame.ended()), (1, 9))
        self.assertEqual(frame.footer_value("killMessage"), "first")
        self.assert_refused("NOT_FOUND", agent.kill, frame.id, "third")

    @on_agent()
    async def test_reason(self, agent: Agent) -> None:
        """A reason of many lines is in the footer and can't be taken for the footer's own lines."""
        frame = agent.launch("echo ready; sleep 60")
        await frame.says(b"ready")
        agent.kill(frame.id, REASON)
        self.assertEqual((await frame.ended()), (1, 15))
        shown = frame.footer_value("killMessage")
        self.assertEqual(shown.split("\n"), REASON.rstrip().replace("\r", "").split("\n"))
        self.assertEqual(frame.log.count(b"\nRender Frame Completed"), 1)

    @on_agent()
    async def test_long_reason(self, agent: Agent) -> None:
        """A reason of a megabyte is taken."""
        frame = agent.launch("sleep 60")
        agent.kill(frame.id, "line of a long reason\n" * 50_000)
        self.assertEqual((await frame.ended()), (1, 15))

    @on_agent()
    async def test_own_way_out(self, agent: Agent) -> None:
        """A frame that ends in order on TERM is reported as it ended."""
        frame = agent.launch("trap 'echo saved; exit 12' TERM; echo ready; sleep 60 & wait")
        await frame.says(b"ready")
        agent.kill(frame.id)
        self.assertEqual((await frame.ended()), (12, 0))
        self.assertEqual(frame.output, b"ready\nsaved\n")

    @on_agent(runner=QUICK)
    async def test_ignores_term(self, agent: Agent) -> None:
        """A frame that ignores TERM is killed after its time of grace, and that is logged."""
        frame = agent.launch(IGNORES_TERM)
        await frame.says(b"ready")
        agent.kill(frame.id, "enough")
        self.assertEqual((await frame.ended()), (1, 9))
        await until(lambda: b"frame is dead" in agent.log)

    @without_groups(runner=QUICK)
    async def test_ignores_term_without_groups(self, agent: Agent) -> None:
        """So it is without control groups."""
        frame = agent.launch(IGNORES_TERM)
        await frame.says(b"ready")
        agent.kill(frame.id, "enough")
        self.assertEqual((await frame.ended()), (1, 9))

    async def check_stopped(self, agent: Agent, whom: str) -> None:
        frame = agent.launch(f"echo ready; kill -STOP {whom}")
        await frame.says(b"ready")
        agent.kill(frame.id)
        _, number = await frame.ended()
        self.assertIn(number, (9, 15))

    @on_agent(runner=QUICK)
    async def test_stopped(self, agent: Agent) -> None:
        """A frame that is stopped is ended all the same."""
        await self.check_stopped(agent, "$$")

    @on_agent(runner=QUICK)
    async def test_stops_its_group(self, agent: Agent) -> None:
        """So it is for one that stopped its whole process group."""
        await self.check_stopped(agent, "0")

    @on_agent(runner=QUICK)
    async def test_tree(self, agent: Agent) -> None:
        """Of a tree of sixty processes, some deaf to TERM, nothing is left."""
        deaf = "trap '' TERM; sleep 60"
        frame = agent.launch(
            f'for i in $(seq 20); do sh -c "sleep 60 & {deaf} & sleep 60" & done; echo ready; wait'
        )
        await frame.says(b"ready")
        agent.kill(frame.id)
        await frame.end()

    @on_agent(runner=QUICK)
    async def test_fork_storm(self, agent: Agent) -> None:
        """A frame that forks faster than one can count is ended."""
        if remains.tree(agent.state) is None:
            root_only()
        frame = agent.launch(
            "trap '' TERM; storm() { while :; do (sleep 0.05 &) ; done; }; echo ready;"
            " storm & storm & wait"
        )
        await frame.says(b"ready")
        agent.kill(frame.id)
        self.assertEqual((await frame.ended()), (1, 9))

    @on_agent(runner={"kill_monitor_timeout": "50ms", "force_kill_after_timeout": False})
    async def test_without_force(self, agent: Agent) -> None:
        """Without force a frame that ignores TERM goes on; it can still end by itself."""
        gate = agent.gate()
        frame = agent.launch(f"trap '' TERM; echo ready; read < {gate.path}; exit 3")
        await frame.says(b"ready")
        agent.kill(frame.id)
        await until(lambda: b"frame asked to end" in agent.log)
        self.assertEqual(agent.info(frame.id).frame_id, frame.id)
        gate.open()
        self.assertEqual((await frame.ended()), (3, 0))

    @on_agent()
    async def test_by_frame(self, agent: Agent) -> None:
        """RunningFrame.Kill does the same."""
        frame = agent.launch("sleep 60")
        agent.frame_stub.Kill(
            rqd_pb2.RunningFrameKillRequest(run_frame=frame.request, message="by frame")
        )
        self.assertEqual((await frame.ended()), (1, 15))
        self.assertEqual(frame.footer_value("killMessage"), "by frame")

    @on_agent()
    async def test_kill_at_once(self, agent: Agent) -> None:
        """Kills that follow the launches at once are not lost, wherever the frames are by then."""
        frames = [agent.launch("sleep 60") for _ in range(20)]
        for frame in frames:
            agent.kill(frame.id, "at once")
        for _ in range(20):
            frames.append(agent.launch("sleep 60"))
            agent.kill(frames[-1].id, "at once")
        for frame in frames:
            self.assertEqual((await frame.ended()), (1, 15))
            self.assertEqual(frame.footer_value("killMessage"), "at once")

    @on_agent(runner={"kill_monitor_interval": "500ms", "kill_monitor_timeout": "1s"})
    async def test_next_frames(self, agent: Agent) -> None:
        """A kill never meets frames that come after the one that was meant, in whatever place."""
        killed = agent.launch("echo ready; exec sleep 60")
        await killed.says(b"ready")
        agent.kill(killed.id)
        self.assertEqual((await killed.ended()), (1, 15))
        gate = agent.gate()
        later = [agent.launch(f"echo ready; read < {gate.path}; exit 3") for _ in range(3)]
        for frame in later:
            await frame.says(b"ready")
        await until(lambda: b"ended within grace frame_id=" + killed.id.encode() in agent.log)
        for _ in later:
            gate.open()
        for frame in later:
            self.assertEqual((await frame.ended()), (3, 0))


class NeverStartedTests(AgentCase):
    """Launches that nobody waits for any more."""

    def mounted(self) -> FaultMount:
        if (reason := lacking()) is not None:
            self.skipTest(reason)
        mount = FaultMount(os.path.abspath(self.mktemp()))
        self.addCleanup(mount.stop)
        return mount

    @on_agent()
    async def test_kill_before_start(self, agent: Agent) -> None:
        """A frame that is killed while its log is being opened never starts."""
        mount = self.mounted()
        mount.fail("* hang")
        proof = Path(agent.folder, "ran")
        frame = agent.launch(f"touch {proof}", log_dir=f"{mount.point}/logs")
        agent.kill(frame.id, "too late")
        mount.fail()
        self.assertEqual((await frame.ended()), (1, 15))
        self.assertFalse(proof.exists())
        self.assertNotIn(b"frame started", agent.log)

    @on_agent()
    async def test_past_its_deadline(self, agent: Agent) -> None:
        """A launch whose caller gave up before the agent saw it never starts."""
        proof = Path(agent.folder, "ran")
        request = agent.request(f"touch {proof}")
        agent.report()  # connected
        agent.signal(signal.SIGSTOP)
        try:
            details = await deferToThread(
                self.assertRaises, grpc.RpcError, agent.send, request, timeout=0.2
            )
        finally:
            agent.signal(signal.SIGCONT)
        self.assertEqual(details.code().name, "DEADLINE_EXCEEDED")
        await agent.launch("true").end()
        self.assert_refused("NOT_FOUND", agent.info, request.frame_id)
        await agent.nothing_left()
        self.assertFalse(proof.exists())

    @on_agent()
    async def test_cancelled(self, agent: Agent) -> None:
        """So it is for one that was cancelled."""
        proof = Path(agent.folder, "ran")
        request = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=agent.request(f"touch {proof}"))
        agent.report()
        agent.signal(signal.SIGSTOP)
        calls = [agent.stub.LaunchFrame.future(request, timeout=PATIENCE) for _ in range(20)]
        for call in calls:
            call.cancel()
        agent.signal(signal.SIGCONT)
        await agent.launch("true").end()
        await agent.nothing_left()
        self.assertFalse(proof.exists())


class AgentEndTests(AgentCase):
    """What becomes of frames when the agent ends."""

    @on_agent(runner=QUICK, clean=False)
    async def test_shutdown_now(self, agent: Agent) -> None:
        """ShutdownRqdNow kills all, delivers the completions, and ends with 0."""
        frames = [agent.launch("echo ready; sleep 60"), agent.launch(IGNORES_TERM)]
        for frame in frames:
            await frame.says(b"ready")
        agent.stub.ShutdownRqdNow(rqd_pb2.RqdStaticShutdownNowRequest())
        self.assertEqual(await agent.exit(), 0)
        self.assertEqual([await frame.ended() for frame in frames], [(1, 15), (1, 9)])
        self.assertEqual(agent.remaining(), [])

    @on_agent(clean=False)
    async def test_shutdown_of_an_idle_host(self, agent: Agent) -> None:
        """So it ends where nothing runs, and takes nothing more meanwhile."""
        agent.stub.ShutdownRqdNow(rqd_pb2.RqdStaticShutdownNowRequest())
        self.assertEqual(await agent.exit(), 0)

    @on_agent(clean=False)
    async def test_frames_go_on(self, agent: Agent) -> None:
        """SIGTERM ends the agent in order and leaves the frames alone."""
        gate = agent.gate()
        proof = Path(agent.folder, "went-on")
        frame = agent.launch(f"echo ready; read < {gate.path}; echo more; touch {proof}")
        await frame.says(b"ready")
        agent.signal(signal.SIGTERM)
        self.assertEqual(await agent.exit(), 0)
        self.assertEqual(frame.completions(), [])
        self.assertNotEqual(remains.processes(agent.folder), [])
        self.assertEqual(
            len({name.split(".")[0] for name in os.listdir(f"{agent.state}/frames")}), 1
        )
        gate.open()
        await until(proof.exists)
        await until(lambda: not remains.processes(agent.folder))
