"""What frames print arrives in their logs as it was, on a real agent."""

from __future__ import annotations

from pathlib import Path

from tests.integration.agent import Agent, AgentCase, on_agent, root_only
from tests.integration.log_frames import STAMP

NOBODY = 65534
#: Every byte, also those that end lines on other systems, and pairs of them.
BYTES = bytes(range(256)) * 40 + b"dos\r\nmac\rnul\0\xff\xfe utf-16 \xc3\x28\r\n\r\n\n\0\n"


class OutputTests(AgentCase):
    """With timestamps: through the spool into the log."""

    @on_agent()
    async def test_bytes(self, agent: Agent) -> None:
        """Binary data, CRLF and NUL pass unchanged, with a time before each line."""
        Path(agent.folder, "bytes").write_bytes(BYTES)
        frame = agent.launch(f"cat {agent.folder}/bytes")
        self.assertTrue(await frame.printed() == BYTES)
        self.assertEqual(len(STAMP.findall(frame.stamped)), BYTES.count(b"\n"))

    @on_agent()
    async def test_one_long_line(self, agent: Agent) -> None:
        """A hundred megabytes on one line are one line, with one time."""
        frame = agent.launch("head -c 100000000 /dev/zero | tr '\\0' x; echo")
        self.assertEqual((await frame.ended()), (0, 0))
        stamped = frame.stamped
        self.assertRegex(stamped[:12], STAMP)
        self.assertTrue(stamped[11:] == b"x" * 100_000_000 + b"\n")

    @on_agent()
    async def test_line_in_pieces(self, agent: Agent) -> None:
        """Each piece of a line is in the log as soon as it is written; all are one line."""
        gate = agent.gate()
        frame = agent.launch(
            f'exec 4<>{gate.path}; for i in 0 1 2 3 4 5 6 7 8 9; do read -u 4; printf "<$i>"; done'
        )
        for piece in range(10):
            gate.open()
            await frame.says(b"<%d>" % piece)
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertRegex(frame.stamped, rb"^\[\d\d:\d\d:\d\d\] <0><1><2><3><4><5><6><7><8><9>\n?$")

    @on_agent()
    async def test_partial_last_line(self, agent: Agent) -> None:
        """A last line without an end is kept, and the footer begins a line of its own."""
        frame = agent.launch("echo whole; printf partial")
        self.assertEqual((await frame.printed()).rstrip(b"\n"), b"whole\npartial")
        self.assertEqual(frame.footer_value("exitStatus"), "0")

    @on_agent()
    async def test_order(self, agent: Agent) -> None:
        """stdout and stderr are in the order written."""
        frame = agent.launch("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
        expected = b"".join(b"out %d\nerr %d\n" % (i, i) for i in (1, 2, 3))
        self.assertEqual(await frame.printed(), expected)

    @on_agent()
    async def test_closed(self, agent: Agent) -> None:
        """A frame that closes stdout and stderr goes on, and ends as it ends."""
        frame = agent.launch("echo before; exec >&- 2>&-; sh -c 'exit 5'")
        self.assertEqual((await frame.ended()), (5, 0))
        self.assertEqual(frame.output, b"before\n")

    @on_agent()
    async def test_device(self, agent: Agent) -> None:
        """Output through /dev/stderr and /dev/stdout is output."""
        frame = agent.launch("echo x > /dev/stderr; echo y >> /dev/stdout; echo z >> /dev/stderr")
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertEqual(frame.output, b"x\ny\nz\n")

    @on_agent()
    async def test_device_again_and_again(self, agent: Agent) -> None:
        """To write to /dev/stderr by its name takes nothing away of what was written before."""
        frame = agent.launch('for i in $(seq 50); do echo "line $i" > /dev/stderr; done')
        await frame.end()
        self.assertEqual(frame.output, b"".join(b"line %d\n" % i for i in range(1, 51)))

    test_device_again_and_again.todo = "each > /dev/stderr truncates the spool, which is a file"

    @on_agent(runner={"run_as_user": True})
    async def test_device_of_another_user(self, agent: Agent) -> None:
        """So it is for a frame that runs as another user."""
        root_only()
        frame = agent.launch("echo x > /dev/stderr", uid=NOBODY, gid=NOBODY)
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertEqual(frame.output, b"x\n")

    @on_agent()
    async def test_around(self, agent: Agent) -> None:
        """Header and footer tell of the frame what people look for."""
        frame = agent.launch("echo text\necho more; exit 3", environment={"SHOT_NAME": "sh010"})
        await frame.end()
        for text in ("RenderQ JobSpec", "echo text", "SHOT_NAME=sh010", frame.id, "render042"):
            self.assertIn(text.encode(), frame.header)
        self.assertEqual(frame.output, b"text\nmore\n")
        self.assertEqual(frame.footer_value("exitStatus"), "3")
        self.assertEqual(frame.footer_value("killMessage"), "")


class DirectTests(AgentCase):
    """Without timestamps: the frame writes to the log itself."""

    @on_agent(runner={"prepend_timestamp": False})
    async def test_bytes(self, agent: Agent) -> None:
        """Bytes are those that the frame wrote, with nothing before them."""
        Path(agent.folder, "bytes").write_bytes(BYTES)
        frame = agent.launch(f"cat {agent.folder}/bytes")
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertTrue(frame.stamped == BYTES)

    @on_agent(runner={"prepend_timestamp": False})
    async def test_partial_last_line(self, agent: Agent) -> None:
        """Here, too, the footer begins a line of its own."""
        frame = agent.launch("printf partial; exit 2")
        self.assertEqual((await frame.ended()), (2, 0))
        self.assertEqual(frame.stamped.rstrip(b"\n"), b"partial")

    @on_agent(runner={"prepend_timestamp": False, "run_as_user": True})
    async def test_another_user(self, agent: Agent) -> None:
        """A frame that runs as another user can write to it, also by /dev/stderr."""
        root_only()
        frame = agent.launch("echo one; echo two >> /dev/stderr", uid=NOBODY, gid=NOBODY)
        self.assertEqual((await frame.ended()), (0, 0))
        self.assertEqual(frame.stamped, b"one\ntwo\n")
