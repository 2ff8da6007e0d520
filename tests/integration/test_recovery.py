"""Frames over the death and the restart of a real agent."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

from rqd.proto import report_pb2, rqd_pb2
from tests.integration.activity import ACTIVITY_FILE, tell
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent, without_groups
from tests.integration.farm import ok, refuse
from tests.integration.launched import Launched
from tests.integration.log_frames import until

DIRECT = {"prepend_timestamp": False}
#: Says whatever signal it gets, waits at a gate, and ends as it is told.
LISTENS = "trap 'echo heard' TERM HUP PIPE INT; echo one; read < {gate}; echo two; exit {status}"
IGNORES_TERM = "trap '' TERM; echo ready; while :; do sleep 60; done"


async def killed(agent: Agent) -> None:
    """The agent is ended by SIGKILL."""
    await agent.end(signal.SIGKILL)


def records(agent: Agent) -> list[Path]:
    return sorted(Path(agent.state, "frames").glob("*.record"))


async def has_a_record_of_its_end(agent: Agent) -> None:
    """Wait until the chain has written how the only frame ended."""
    chains = Path(agent.state, "berths")
    await until(lambda: any(b"\nexit " in c.read_bytes() for c in chains.glob("*.chain")))


class RunningTests(AgentCase):
    """Frames that run while the agent dies, and go on."""

    async def goes_on(self, agent: Agent, end: int = signal.SIGKILL) -> None:
        gate = agent.gate()
        frame = agent.launch(LISTENS.format(gate=gate.path, status=3), num_cores=250)
        await frame.says(b"one")
        await agent.end(end)
        await agent.start_again()
        self.assertEqual(agent.cuebot.startups[1].core_info.booked_cores, 250)
        self.assertEqual(agent.info(frame.id).resource_id, frame.request.resource_id)
        self.assert_refused("ALREADY_EXISTS", agent.send, frame.request)
        status = await agent.told(lambda report: bool(report.frames))
        self.assertEqual([f.frame_id for f in status.frames], [frame.id])
        gate.open()
        self.assertEqual(await frame.ended(), (3, 0))
        self.assertEqual(frame.output, b"one\ntwo\n")
        self.assertEqual(frame.log.count(b"Render Frame Completed"), 1)
        self.assertEqual(frame.footer_value("exitStatus"), "3")

    @on_agent()
    async def test_killed(self, agent: Agent) -> None:
        """An agent that is killed: the frame hears nothing of it and its log is whole."""
        await self.goes_on(agent)

    @on_agent()
    async def test_stopped(self, agent: Agent) -> None:
        """So it is with one that is stopped in order."""
        await self.goes_on(agent, signal.SIGTERM)

    @on_agent(runner=DIRECT)
    async def test_direct_log(self, agent: Agent) -> None:
        """So it is where frames write to their logs themselves."""
        await self.goes_on(agent)

    @without_groups()
    async def test_without_groups(self, agent: Agent) -> None:
        """So it is where frames are known by their sessions."""
        gate = agent.gate()
        frame = agent.launch(LISTENS.format(gate=gate.path, status=3))
        await frame.says(b"one")
        await killed(agent)
        await agent.start_again()
        gate.open()
        self.assertEqual(await frame.ended(), (3, 0))
        self.assertEqual(frame.output, b"one\ntwo\n")

    @on_agent()
    async def test_again_and_again(self, agent: Agent) -> None:
        """Any number of agents may die under one frame; it ends once."""
        gate = agent.gate()
        frame = agent.launch(f"for i in 1 2 3; do echo $i; read < {gate.path}; done")
        for number in (b"1", b"2", b"3"):
            await frame.says(number)
            await killed(agent)
            await agent.start_again()
            gate.open()
        self.assertEqual(await frame.ended(), (0, 0))
        self.assertEqual(frame.output, b"1\n2\n3\n")

    @on_agent()
    async def test_statistics(self, agent: Agent) -> None:
        """The most that a frame has used is still known after a restart in order."""
        gate = agent.gate()
        grow = "x=$(head -c 30000000 /dev/zero | tr '\\0' x); echo grown"
        frame = agent.launch(f"{grow}; read < {gate.path}; x=; echo shrunk; read < {gate.path}")
        await frame.says(b"grown")
        await until(lambda: agent.info(frame.id).max_rss > 30_000, PATIENCE)
        most = agent.info(frame.id).max_rss
        await agent.end()
        await agent.start_again()
        self.assertGreaterEqual(agent.info(frame.id).max_rss, most)
        gate.open()
        await frame.says(b"shrunk")
        gate.open()
        self.assertGreaterEqual((await frame.end()).frame.max_rss, most)

    @on_agent()
    async def test_ignores_nimby(self, agent: Agent) -> None:
        """What a frame asked for is asked for still."""
        gate = agent.gate()
        frame = agent.launch(f"echo here; read < {gate.path}", ignore_nimby=True)
        await frame.says(b"here")
        await killed(agent)
        await agent.start_again()
        self.assertTrue(run_frame(agent, frame.id).ignore_nimby)
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))

    @on_agent()
    async def test_leftovers(self, agent: Agent) -> None:
        """What an adopted frame leaves running is ended with it."""
        gate = agent.gate()
        frame = agent.launch(f"sleep 300 & echo here; read < {gate.path}")
        await frame.says(b"here")
        await killed(agent)
        await agent.start_again()
        gate.open()
        self.assertEqual(await frame.ended(), (0, 0))


class KillTests(AgentCase):
    """Kills over restarts."""

    @on_agent(runner={"kill_monitor_timeout": "400ms"})
    async def test_adopted(self, agent: Agent) -> None:
        """An adopted frame can be killed as any other."""
        frame = agent.launch(IGNORES_TERM)
        await frame.says(b"ready")
        await killed(agent)
        await agent.start_again()
        agent.kill(frame.id, "enough")
        self.assertEqual(await frame.ended(), (1, 9))
        self.assertEqual(frame.footer_value("killMessage"), "enough")

    @on_agent(runner={"kill_monitor_timeout": "2s"})
    async def test_ladder(self, agent: Agent) -> None:
        """A kill that has begun goes on, with its reason."""
        frame = agent.launch(IGNORES_TERM)
        await frame.says(b"ready")
        agent.kill(frame.id, "enough")
        await until(lambda: b'"kill"' in records(agent)[0].read_bytes())
        await killed(agent)
        await agent.start_again()
        self.assertEqual(await frame.ended(), (1, 9))
        self.assertEqual(frame.footer_value("killMessage"), "enough")

    @on_agent(machine=ACTIVITY_FILE, runner={"kill_monitor_timeout": "60s"})
    async def test_nimby(self, agent: Agent) -> None:
        """A frame that NIMBY ends is reported as that, also if it dies while no agent is there."""
        tell(agent, "idle")
        agent.call("NimbyOn")
        gate = agent.gate()
        frame = agent.launch(f"trap '' TERM; echo ready; read < {gate.path}; exit 7")
        await frame.says(b"ready")
        tell(agent, "active")
        await until(lambda: b'"kill"' in records(agent)[0].read_bytes())
        await killed(agent)
        gate.open()
        await has_a_record_of_its_end(agent)
        await agent.start_again()
        self.assertEqual((await frame.ended())[0], 286)


class AwayTests(AgentCase):
    """Frames that end while no agent is there."""

    async def ends_away(self, agent: Agent, command: str) -> Launched:
        """A frame that waits, then runs this, while no agent is there."""
        gate = agent.gate()
        frame = agent.launch(f"echo one; read < {gate.path}; echo two; {command}")
        await frame.says(b"one")
        await killed(agent)
        gate.open()
        await has_a_record_of_its_end(agent)
        return frame

    async def check(self, agent: Agent, command: str, *end: int) -> None:
        frame = await self.ends_away(agent, command)
        await agent.start_again()
        self.assertEqual(await frame.ended(), end)
        self.assertEqual(frame.output, b"one\ntwo\n")
        self.assertEqual(frame.log.count(b"Render Frame Completed"), 1)
        self.assertEqual(agent.cuebot.startups[1].core_info.booked_cores, 0)
        self.assert_refused("NOT_FOUND", agent.info, frame.id)

    @on_agent()
    async def test_success(self, agent: Agent) -> None:
        await self.check(agent, "exit 0", 0, 0)

    @on_agent()
    async def test_failure(self, agent: Agent) -> None:
        await self.check(agent, "exit 3", 3, 0)

    @on_agent()
    async def test_signal(self, agent: Agent) -> None:
        await self.check(agent, "kill -SEGV $$", 1, 11)

    @on_agent(runner=DIRECT)
    async def test_direct_log(self, agent: Agent) -> None:
        await self.check(agent, "exit 3", 3, 0)

    @on_agent()
    async def test_leftovers(self, agent: Agent) -> None:
        """What such a frame left in the background is ended."""
        await self.check(agent, "sleep 300 & exit 0", 0, 0)

    @without_groups()
    async def test_leftovers_without_groups(self, agent: Agent) -> None:
        await self.check(agent, "sleep 300 & exit 0", 0, 0)

    @on_agent()
    async def test_vanished(self, agent: Agent) -> None:
        """One whose supervisor was killed with it has vanished."""
        frame = agent.launch("echo here; sleep 300")
        await frame.says(b"here")
        supervisor = json.loads(records(agent)[0].read_bytes())["where"]["supervisor"]
        await killed(agent)
        os.kill(supervisor, signal.SIGKILL)
        await agent.start_again()
        self.assertEqual(await frame.ended(), (1, 19))

    @on_agent()
    async def test_another_boot(self, agent: Agent) -> None:
        """After a reboot a frame that ran has vanished; whoever has its pid now is left alone."""
        frame = await self.ends_away(agent, "exit 0")
        forget_from(agent, b"exit")
        change(records(agent)[0], boot_id="another", supervisor=os.getpid())
        await agent.start_again()
        self.assertEqual(await frame.ended(), (1, 19))

    @on_agent()
    async def test_pid_used_again(self, agent: Agent) -> None:
        """A process that has the pid of a supervisor, but began at another time, is left alone."""
        frame = await self.ends_away(agent, "exit 4")
        change(records(agent)[0], supervisor=os.getpid())
        await agent.start_again()
        self.assertEqual(await frame.ended(), (4, 0))

    @on_agent()
    async def test_reported(self, agent: Agent) -> None:
        """A report that Cuebot never took is sent again, as the same bytes, once it is there."""
        agent.cuebot.always("completion", refuse())
        frame = agent.launch("echo hello; exit 3")
        await until(lambda: any(b'"report"' in r.read_bytes() for r in records(agent)))
        await until(lambda: b"Render Frame Completed" in frame.log)
        log = frame.log
        kept = json.loads(records(agent)[0].read_bytes().splitlines()[-1])["report"]
        await killed(agent)
        agent.cuebot.always("completion", ok)
        await agent.start_again()
        report = await frame.end()
        self.assertEqual(report, report_pb2.FrameCompleteReport.FromString(base64.b64decode(kept)))
        await until(lambda: not records(agent))
        self.assertEqual(frame.log, log)

    @on_agent()
    async def test_not_started(self, agent: Agent) -> None:
        """A frame whose record is there but which was never started is reported so."""
        frame = await self.ends_away(agent, "exit 0")
        forget_from(agent, b"up")
        await agent.start_again()
        self.assertEqual(await frame.ended(), (256, 0))


class OddTests(AgentCase):
    """A state folder in which somebody was."""

    @on_agent(clean=False)
    async def test_foreign(self, agent: Agent) -> None:
        """What is no record of ours is set aside, each with one word; the agent serves."""
        await killed(agent)
        frames = Path(agent.state, "frames")
        (frames / "torn.record").write_bytes(b'{"version": 2, "requ')
        (frames / "old.record").write_bytes(b'{"version": 1}\n')
        (frames / "link.record").symlink_to("/etc/passwd")
        (frames / "folder.record").mkdir()
        os.mkfifo(frames / "pipe.record")
        (frames / "notes.txt").write_text("hello")
        odd = len(list(frames.iterdir()))
        await agent.start_again()
        self.assertTrue(all(path.name.endswith(".bad") for path in frames.iterdir()))
        await until(lambda: agent.log.count(b"set aside") == odd, PATIENCE)
        self.assertEqual(await agent.launch("exit 3").ended(), (3, 0))


def run_frame(agent: Agent, frame_id: str) -> rqd_pb2.RunFrame:
    """The request, as the agent tells it."""
    call = rqd_pb2.RqdStaticGetRunFrameRequest(frame_id=frame_id)
    return agent.stub.GetRunFrame(call, timeout=PATIENCE).run_frame


def forget_from(agent: Agent, word: bytes) -> None:
    """Let the chain of the only frame not have come so far."""
    for chain in Path(agent.state, "berths").glob("*.chain"):
        chain.write_bytes(chain.read_bytes().partition(word)[0])


def change(record: Path, **where: Any) -> None:
    """Let a record say something else of where the frame ran."""
    first, *rest = record.read_bytes().splitlines()
    content = json.loads(first)
    content["where"] |= where
    record.write_bytes(b"\n".join([json.dumps(content).encode(), *rest]) + b"\n")
