"""The deprecated and the odd, on a real agent: taken as meant, kept out of the way, never an error.

Malformed requests, which are refused, are in ``test_bad_input``.
"""

from __future__ import annotations

import os
import time

from google.protobuf.descriptor import FieldDescriptor

from rqd.proto import report_pb2, rqd_pb2
from tests.integration import activity
from tests.integration.activity import ACTIVITY_FILE
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent
from tests.integration.launched import Launched
from tests.integration.log_frames import until
from tests.integration.methods import ENDINGS, METHODS, method
from tests.integration.shut_in import shut_in

#: Fields 1000 to 1003 of a newer scheduler: a number (or an enumeration's), text, two fixed ones.
NEWER = (
    b"\xc0\x3e\x63"
    b"\xca\x3e\x0bof tomorrow"
    b"\xd5\x3e\x01\x02\x03\x04"
    b"\xd9\x3e\x01\x02\x03\x04\x05\x06\x07\x08"
)

#: Methods that have to be told which frame; all others need nothing.
OF_A_FRAME = frozenset(
    {"GetRunFrame", "GetRunningFrameStatus", "Kill", "KillRunningFrame", "LaunchFrame", "Status"}
)


def launch_bytes(agent: Agent, request: rqd_pb2.RunFrame, more: bytes) -> Launched:
    """Launch what a newer scheduler sends: more in the frame, and more beside it."""
    frame = request.SerializeToString() + more
    call = b"\x0a" + varint(len(frame)) + frame + more
    assert agent.channel is not None
    answer = method("LaunchFrame").on(agent.channel)(call, timeout=PATIENCE)
    assert answer == b""
    return Launched(request, agent.cuebot)


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


class OddFrameTests(AgentCase):
    """Launches."""

    @on_agent()
    async def test_deprecated(self, agent: Agent) -> None:
        """Old paths, and what is the agent's to tell, have no effect, and come back as they were.

        The log is where log_dir and the names say; the start is that of the process here.
        """
        before = int(time.time() * 1000)
        gate = agent.gate()
        old = {
            "log_dir_file": f"{agent.folder}/elsewhere/old.rqlog",
            "log_file": f"{agent.folder}/old.rqlog",
            "job_temp_dir": f"{agent.folder}/job-temp",
            "frame_temp_dir": f"{agent.folder}/frame-temp",
        }
        frame = agent.launch(
            f"pwd; read < {gate.path}; exit 3",
            start_time=1,
            pid=1,
            attributes={"pcpu": "1000"},
            children=report_pb2.ChildrenProcStats(children=[report_pb2.ProcStats(cmdline="init")]),
            **old,
        )
        await frame.says(agent.temp.encode())
        call = rqd_pb2.RqdStaticGetRunFrameRequest(frame_id=frame.id)
        self.assertEqual(agent.stub.GetRunFrame(call, timeout=PATIENCE).run_frame, frame.request)
        info = agent.info(frame.id)
        self.assertGreaterEqual(info.start_time, before)
        self.assertNotEqual(info.attributes["pcpu"], "1000")
        self.assertNotIn("init", [child.cmdline for child in info.children.children])
        gate.open()
        self.assertEqual((await frame.ended()), (3, 0))
        self.assertEqual([path for path in old.values() if os.path.lexists(path)], [])

    @on_agent()
    async def test_limits(self, agent: Agent) -> None:
        """Limits of 0, as of requests that have none, and senseless ones limit nothing."""
        for limits in ((0, 0), (1 << 20, 0), (-1, -1), ((1 << 63) - 1, (1 << 63) - 1)):
            frame = agent.launch("exit 3", soft_memory_limit=limits[0], hard_memory_limit=limits[1])
            self.assertEqual((await frame.ended()), (3, 0), limits)

    @on_agent()
    async def test_gpus(self, agent: Agent) -> None:
        """GPUs where there are none are RESOURCE_EXHAUSTED, and nothing is reserved."""
        self.assertEqual(agent.report().host.num_gpus, 0)
        request = agent.request("true", num_gpus=1)
        self.assertIn("GPU", self.assert_refused("RESOURCE_EXHAUSTED", agent.send, request))
        self.assertEqual(agent.report().core_info.booked_cores, 0)

    @on_agent()
    async def test_loki(self, agent: Agent) -> None:
        """A frame whose log is wanted in Loki has a file, and the agent's log says so once."""
        for _ in range(3):
            frame = agent.launch("echo here", loki_url="http://user:password@127.0.0.1:9/")
            self.assertEqual(await frame.printed(), b"here\n")
        await until(lambda: agent.log.count(b"frame ended ") == 3)
        self.assertEqual(agent.log.count(b"logs can't go to Loki yet"), 1)
        self.assertNotIn(b"password", agent.log)

    @on_agent()
    async def test_newer_scheduler(self, agent: Agent) -> None:
        """Fields that this agent doesn't know change nothing, and are kept with the request."""
        gate = agent.gate()
        frame = launch_bytes(agent, agent.request(f"read < {gate.path}; exit 3"), NEWER)
        call = rqd_pb2.RqdStaticGetRunFrameRequest(frame_id=frame.id)
        kept = agent.stub.GetRunFrame(call, timeout=PATIENCE).run_frame
        self.assertEqual(kept.SerializeToString(), frame.request.SerializeToString() + NEWER)
        kept.DiscardUnknownFields()
        self.assertEqual(kept, frame.request)
        gate.open()
        self.assertEqual((await frame.ended()), (3, 0))


class OddCallTests(AgentCase):
    """All methods."""

    def expected(self, name: str) -> str:
        """What a request is answered that says nothing."""
        return "INVALID_ARGUMENT" if name in OF_A_FRAME else "OK"

    @on_agent(machine=ACTIVITY_FILE)
    async def test_nothing(self, agent: Agent) -> None:
        """An empty request is as good as any where no frame is meant; unknown fields add nothing.

        What can't be read at all is INVALID_ARGUMENT, also of methods that ask for nothing.
        """
        assert agent.channel is not None
        activity.tell(agent, "idle")
        for each in METHODS:
            if each.name not in ENDINGS:
                for request in (b"", NEWER):
                    code = each.code(agent.channel, request)
                    self.assertEqual((each.name, code), (each.name, self.expected(each.name)))
            code = each.code(agent.channel, b"\xff" * 100)
            self.assertEqual((each.name, code), (each.name, "INVALID_ARGUMENT"))
        for name in ("NimbyOff", "UnlockAll"):
            method(name).code(agent.channel)
        self.assertEqual((await agent.launch("exit 3").ended()), (3, 0))

    @on_agent(**shut_in(), clean=False)
    async def test_idle_endings(self, agent: Agent) -> None:
        """Endings that wait for an idle host are taken, and taken back by an unlock."""
        assert agent.channel is not None
        gate = agent.gate()
        frame = agent.launch(f"read < {gate.path}")
        for name in ("ShutdownRqdIdle", "RebootIdle", "RestartRqdIdle"):
            code = method(name).code(agent.channel, NEWER)
            self.assertEqual((name, code), (name, "OK"))
            agent.stub.UnlockAll(rqd_pb2.RqdStaticUnlockAllRequest(), timeout=PATIENCE)
        gate.open()
        await frame.end()
        self.assertEqual((await agent.launch("exit 3").ended()), (3, 0))
        self.assertEqual(method("ShutdownRqdNow").code(agent.channel, NEWER), "OK")
        self.assertEqual((await agent.exit()), 0)

    @on_agent(**shut_in())
    async def test_newer_cuebot(self, agent: Agent) -> None:
        """Fields in Cuebot's answers that this agent doesn't know change nothing."""
        agent.cuebot.answer = NEWER
        frame = agent.launch("exit 3")
        self.assertEqual((await frame.ended()), (3, 0))
        seen = len(agent.cuebot.statuses)
        agent.stub.LockAll(rqd_pb2.RqdStaticLockAllRequest(), timeout=PATIENCE)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) > seen)
        self.assertNotIn(b"warn", agent.log)
        agent.stub.UnlockAll(rqd_pb2.RqdStaticUnlockAllRequest(), timeout=PATIENCE)

    def test_enumerations(self) -> None:
        """No request holds an enumeration, so none can come with a value that isn't known here."""
        seen = set()
        waiting = [each.request.DESCRIPTOR for each in METHODS]
        while waiting:
            message = waiting.pop()
            if message.full_name in seen:
                continue
            seen.add(message.full_name)
            for field in message.fields:
                self.assertNotEqual(field.type, FieldDescriptor.TYPE_ENUM, field.full_name)
                if field.message_type is not None:
                    waiting.append(field.message_type)
        self.assertIn("report.ProcStats", seen)
