"""Bad input to a real agent: a definite answer, nothing reserved, nothing left, no harm done."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread

from rqd.proto import rqd_pb2
from tests.environments import lacks
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent, root_only
from tests.integration.wire import say_and_wait_for_close

AS_USER = {"run_as_user": True}
#: In the agent's own view of the machine there are two more users.
MORE_USERS = """\
{ cat /etc/passwd; echo toor:x:0:1234::/:/bin/sh; echo wheel:x:1234:0::/:/bin/sh; } >$folder/passwd
mount --bind $folder/passwd /etc/passwd"""

#: What is wrong, and what the answer must speak of.
INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "empty command": ({"command": ""}, "command"),
    "blank command": ({"command": " \n\t"}, "command"),
    "NUL in the command": ({"command": "true\0false"}, "command"),
    "no cores": ({"num_cores": 0}, "num_cores"),
    "negative cores": ({"num_cores": -100}, "num_cores"),
    "least cores": ({"num_cores": -(1 << 31)}, "num_cores"),
    "negative gpus": ({"num_gpus": -1}, "num_gpus"),
    "root": ({"uid": 0}, "uid"),
    "negative uid": ({"uid": -1}, "uid"),
    "negative gid": ({"gid": -1}, "gid"),
    "no frame id": ({"frame_id": ""}, "frame_id"),
    "no job name": ({"job_name": ""}, "job_name"),
    "slash in the job name": ({"job_name": "../../etc/cron.d/job"}, "job_name"),
    "parent as the job name": ({"job_name": ".."}, "job_name"),
    "line break in the job name": ({"job_name": "job\nname"}, "job_name"),
    "NUL in the job name": ({"job_name": "job\0"}, "job_name"),
    "long job name": ({"job_name": "j" * 1000}, "job_name"),
    "no frame name": ({"frame_name": ""}, "frame_name"),
    "slash in the frame name": ({"frame_name": "a/b"}, "frame_name"),
    "parent as the frame name": ({"frame_name": ".."}, "frame_name"),
    "line break in the frame name": ({"frame_name": "a\rb"}, "frame_name"),
    "NUL in the frame name": ({"frame_name": "\0"}, "frame_name"),
    "no log folder": ({"log_dir": ""}, "log_dir"),
    "relative log folder": ({"log_dir": "logs"}, "log_dir"),
    "NUL in the log folder": ({"log_dir": "/tmp/\0"}, "log_dir"),
    "equals sign in a variable's name": ({"environment": {"A=B": "1"}}, "A=B"),
    "variable without a name": ({"environment": {"": "1"}}, "environment"),
    "NUL in a variable's name": ({"environment": {"A\0": "1"}}, "environment"),
    "NUL in a variable": ({"environment": {"A": "1\0"}}, "environment"),
    "variable that no kernel takes": ({"environment": {"A": "x" * (128 << 10)}}, "environment"),
    "environment that no kernel takes": (
        {"environment": {f"A{n}": "x" * 100_000 for n in range(100)}},
        "environment",
    ),
}


def refusals(agent: Agent, cases: dict[str, tuple[dict[str, Any], str]]) -> Iterator[Any]:
    for name, (fields, topic) in cases.items():
        command = fields.pop("command", "true")
        yield name, agent.request(command, **fields), topic


class RequestTests(AgentCase):
    """Requests that are refused, and odd ones that are not."""

    async def assert_unharmed(self, agent: Agent) -> None:
        """A normal frame runs, and nothing is left, neither of it nor of anything before."""
        frame = agent.launch("echo fine")
        self.assertEqual(await frame.printed(), b"fine\n")
        self.assertEqual(len(agent.cuebot.completions), 1)
        await agent.nothing_left()
        self.assertEqual(os.listdir(agent.logs), [os.path.basename(frame.log_path)])

    @on_agent()
    async def test_invalid(self, agent: Agent) -> None:
        """Each malformed request is INVALID_ARGUMENT, with a sentence that says what is wrong."""
        for name, request, topic in refusals(agent, INVALID):
            details = self.assert_refused("INVALID_ARGUMENT", agent.send, request)
            self.assertIn(topic, details, name)
            self.assertEqual(agent.report().core_info.idle_cores, CORES * 100, name)
            self.assertEqual(agent.remaining(), [], name)
        await self.assert_unharmed(agent)

    @on_agent()
    async def test_empty(self, agent: Agent) -> None:
        """So is a request without a frame."""
        call = rqd_pb2.RqdStaticLaunchFrameRequest()
        self.assert_refused("INVALID_ARGUMENT", agent.stub.LaunchFrame, call)
        call.run_frame.SetInParent()
        self.assert_refused("INVALID_ARGUMENT", agent.stub.LaunchFrame, call)
        await self.assert_unharmed(agent)

    @on_agent()
    async def test_too_many_cores(self, agent: Agent) -> None:
        """More cores than are idle are RESOURCE_EXHAUSTED, and the numbers are told."""
        for points in (CORES * 100 + 1, (1 << 31) - 1):
            request = agent.request("true", num_cores=points)
            details = self.assert_refused("RESOURCE_EXHAUSTED", agent.send, request)
            self.assertIn(str(points), details)
            self.assertIn(str(CORES * 100), details)
        await self.assert_unharmed(agent)

    @on_agent(MORE_USERS, mounts=True, runner=AS_USER)
    async def test_names_of_root(self, agent: Agent) -> None:
        """A user or a group that turns out to be root's is refused before anything is reserved."""
        for fields in (
            {"user_name": "root"},
            {"user_name": "toor"},
            {"user_name": "wheel"},
            {"uid": 1234},
        ):
            request = agent.request("id", **fields)
            details = self.assert_refused("INVALID_ARGUMENT", agent.send, request)
            self.assertIn("root", details)
            self.assertEqual(agent.report().core_info.idle_cores, CORES * 100)
        await self.assert_unharmed(agent)

    @on_agent()
    async def test_running_already(self, agent: Agent) -> None:
        """A second launch of a frame that runs is ALREADY_EXISTS; the first is not disturbed."""
        gate = agent.gate()
        first = agent.launch(f"read < {gate.path}; exit 3", num_cores=100)
        again = agent.request("true", frame_id=first.id)
        self.assertIn(first.id, self.assert_refused("ALREADY_EXISTS", agent.send, again))
        same = first.request
        self.assert_refused("ALREADY_EXISTS", agent.send, same)
        self.assertEqual(agent.report().core_info.booked_cores, 100)
        gate.open()
        self.assertEqual((await first.ended()), (3, 0))
        self.assertEqual(len(agent.cuebot.completions), 1)

    @on_agent()
    async def test_one_resource_for_two(self, agent: Agent) -> None:
        """Two frames with one resource id are both run, and both reported, each by its own id."""
        frames = [agent.launch(f"exit {n}", resource_id="same") for n in (1, 2)]
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.completions) == 2, PATIENCE)
        ends = {r.frame.frame_id: r.exit_status for r in agent.cuebot.completions}
        self.assertEqual(ends, {frames[0].id: 1, frames[1].id: 2})
        agent.cuebot.completions.clear()

    @on_agent()
    async def test_odd_ids(self, agent: Agent) -> None:
        """Ids may be any text, and nothing of it gets out of its folder."""
        odd = ("../../../etc/passwd", "a/b", "line\nbreak", "nul\0", "ü" * 300, "..", ".", "-rf *")
        frames = [
            agent.launch("exit 3", frame_id=name, job_id=name, layer_id=name, show=name, shot="x")
            for name in odd
            if "\0" not in name
        ]
        for frame in frames:
            self.assertEqual((await frame.ended()), (3, 0))
        nul = agent.request("exit 3", frame_id="nul\0", job_id="nul\0")
        self.assertEqual((await agent.send(nul).ended()), (3, 0))
        await agent.nothing_left()

    @on_agent()
    async def test_log_folders(self, agent: Agent) -> None:
        """A log folder that can't be had is a completion with 256 that explains it."""
        Path(agent.folder, "file").touch()
        for folder in (
            "/proc/self/logs",
            f"{agent.folder}/file/logs",
            "/sys/logs",
            "/" + "x" * 300,
        ):
            frame = agent.launch("true", log_dir=folder)
            self.assertEqual((await frame.ended()), (256, 0), folder)
            explanation = (await frame.end()).frame.attributes["explanation"]
            self.assertIn(folder, explanation)
        await agent.nothing_left()

    @on_agent(runner=AS_USER)
    async def test_unwritable_log_folder(self, agent: Agent) -> None:
        """A log folder that only others may use is explained by its owner and mode."""
        root_only()
        frame = agent.launch("true", log_dir="/proc/1/logs", uid=65534, gid=65534)
        self.assertEqual((await frame.ended()), (256, 0))
        self.assertRegex((await frame.end()).frame.attributes["explanation"], r"mode d[r-]")

    @on_agent()
    async def test_locks(self, agent: Agent) -> None:
        """To lock or unlock less than nothing is refused, and changes nothing."""
        for call in (
            lambda: agent.stub.Lock(rqd_pb2.RqdStaticLockRequest(cores=-1)),
            lambda: agent.stub.Unlock(rqd_pb2.RqdStaticUnlockRequest(cores=-1)),
            lambda: agent.stub.Lock(rqd_pb2.RqdStaticLockRequest(cores=-(1 << 31))),
        ):
            self.assert_refused("INVALID_ARGUMENT", call)
        self.assertEqual(agent.report().core_info.locked_cores, 0)
        await self.assert_unharmed(agent)

    @on_agent()
    async def test_long_command(self, agent: Agent) -> None:
        """A command of ten megabytes runs; one that no message may hold is refused."""
        command = f": '{'x' * 10_000_000}'\necho long\nexit 7"
        frame = agent.launch(command)
        self.assertEqual((await frame.ended()), (7, 0))
        self.assertEqual(frame.output, b"long\n")
        request = agent.request(f": {'x' * 20_000_000}")
        self.assertIn("command", self.assert_refused("INVALID_ARGUMENT", agent.send, request))
        request = agent.request(f": {'x' * (65 << 20)}")
        self.assert_refused("RESOURCE_EXHAUSTED", agent.send, request)
        self.assertEqual((await agent.launch("true").ended()), (0, 0))


class ConnectionTests(AgentCase):
    """What is no request at all."""

    @on_agent()
    async def test_garbage(self, agent: Agent) -> None:
        """Bytes that are no gRPC end their own connection only."""
        samples = [b"GET / HTTP/1.1\r\nHost: render042\r\n\r\n", os.urandom(100_000), b"\0" * 4096]
        samples.append(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(4096))
        for sample in samples:
            await deferToThread(say_and_wait_for_close, agent.port, sample, PATIENCE)
        self.assertEqual((await agent.launch("true").ended()), (0, 0))

    @on_agent()
    async def test_unknown_method(self, agent: Agent) -> None:
        """A message that is none of the method's is refused, as is a method that there isn't."""
        assert agent.channel is not None
        launch = agent.channel.unary_unary("/rqd.RqdInterface/LaunchFrame")
        with self.assertRaises(Exception) as caught:
            launch(b"\xff" * 100, timeout=PATIENCE)
        self.assertNotIn("Traceback", str(caught.exception))
        self.assertEqual((await agent.launch("true").ended()), (0, 0))

    @on_agent("ulimit -n 8192")
    async def test_silent_connections(self, agent: Agent) -> None:
        """A thousand connections that say nothing keep nobody out, and frames run beside them."""
        count = 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 8192:
            lacks(f"only {hard} open files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", agent.port), PATIENCE)
            self.addCleanup(connection.close)
        frames = [agent.launch("exit 3") for _ in range(20)]
        self.assertEqual([await frame.ended() for frame in frames], [(3, 0)] * 20)
