"""Frame logs with real programs that print: not a byte lost, not a byte changed."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.log_frames import FOOTER, HEADER, STAMP, LogRoom, read, unstamped, until
from tests.logging.awaiting import awaited

LINES = """
import os, sys
line = b"0123456789" * 9 + b"%09d\\n"
for begin in range(0, 1000000, 10000):
    os.write(1 + begin // 10000 % 2, b"".join(line % n for n in range(begin, begin + 10000)))
"""

PACED_LINES = LINES.replace("os.write", "time.sleep(0.02); os.write").replace(" sys", " time")

ONE_LINE = """
import os
for _ in range(100):
    os.write(1, b"x" * 1000000)
"""

SMALL_PIECES = """
import os, random, sys
rng = random.Random(sys.argv[1])
for _ in range(3000):
    stream, text = rng.choice((1, 2)), rng.randbytes(rng.randrange(60))
    os.write(stream, text + rng.choice((b"", b"\\n", b"\\r\\n")))
"""

TRUNCATES = """
import os
os.write(1, b"before\\n" * 10)
os.truncate(1, 0)
os.write(1, b"after\\n")
"""

AGENT = """
import os, signal, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from tests.integration.log_frames import LogRoom, FOOTER

async def follow(folder, path, end):
    log = await LogRoom(folder).resume(path)
    if end == "end":
        await log.close(FOOTER)
        reactor.stop()
reactor.callWhenRunning(lambda: Deferred.fromCoroutine(follow(*sys.argv[1:])))
reactor.run()
"""


class FrameLogTests(TestCase):
    """Real spools, real logs."""

    timeout = 120

    def setUp(self) -> None:
        self.room = LogRoom(self.mktemp())
        self.addCleanup(self.room.stop)
        self.path = os.path.join(self.room.folder, "logs", "job.frame.rqlog")

    async def printed(self, program: str, *args: str) -> bytes:
        """Run a frame to its end; its log."""
        log = await self.room.open(self.path)
        frame = self.room.run(self.path, program, *args)
        await until(lambda: frame.poll() is not None)
        self.assertEqual(frame.returncode, 0)
        await log.close(FOOTER)
        return read(self.path)

    @awaited
    async def test_hundred_megabytes_of_lines(self) -> None:
        """Each of a million lines is there once, stamped, in order, also over two streams."""
        text = await self.printed(LINES)
        self.assertEqual(len(STAMP.findall(text)), 1000000)
        line = b"0123456789" * 9 + b"%09d\n"
        expected = b"".join(line % number for number in range(1000000))
        self.assertTrue(unstamped(text) == expected)

    @awaited
    async def test_hundred_megabytes_on_one_line(self) -> None:
        """A line that never ends has one stamp, and costs no memory."""
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        log = await self.room.open(self.path)
        frame = self.room.run(self.path, ONE_LINE)
        await until(lambda: frame.poll() is not None)
        await log.close(FOOTER)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 50 * 1024)
        text = read(self.path)
        self.assertEqual(len(STAMP.findall(text)), 1)
        self.assertTrue(unstamped(text) == b"x" * 100000000 + b"\n")

    @awaited
    async def test_copied_output_is_given_back(self) -> None:
        """The spool takes about a MiB of disk however much went through it, and keeps its size."""
        await self.printed(ONE_LINE)
        facts = os.stat(self.room.spool(os.path.basename(self.path)))
        self.assertEqual(facts.st_size, 100000000)
        self.assertLess(facts.st_blocks * 512, 4 << 20)

    @awaited
    async def test_binary_in_small_pieces(self) -> None:
        """Arbitrary bytes, CRLF and lines in pieces pass unchanged."""
        rng = random.Random("7")
        expected = b""
        for _ in range(3000):
            rng.choice((1, 2))
            expected += rng.randbytes(rng.randrange(60)) + rng.choice((b"", b"\n", b"\r\n"))
        text = await self.printed(SMALL_PIECES, "7")
        if not expected.endswith(b"\n"):
            expected += b"\n"
        self.assertEqual(unstamped(text), expected)

    @awaited
    async def test_line_in_pieces(self) -> None:
        """A piece of a line is in the log before the line ends; the line has one stamp."""
        log = await self.room.open(self.path)
        for piece in (b"one", b" two", b" three\nfour\n"):
            self.room.write(self.path, piece)
            await until(lambda piece=piece: piece.split(b"\n")[0] in read(self.path))
        await log.close(FOOTER)
        text = read(self.path)
        self.assertEqual(len(STAMP.findall(text)), 2)
        self.assertEqual(unstamped(text), b"one two three\nfour\n")

    @awaited
    async def test_truncated_spool(self) -> None:
        """A frame that truncates its own output loses what was not copied, nothing after that."""
        self.assertTrue(unstamped(await self.printed(TRUNCATES)).endswith(b"after\n"))

    @awaited
    async def test_truncated_after_copying(self) -> None:
        """Output that was copied stays when the frame truncates; the size counts both."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"before, and long\n")
        await until(lambda: b"long" in read(self.path))
        with open(self.room.spool(os.path.basename(self.path)), "wb") as spool:
            spool.write(b"after\n")
        await until(lambda: b"after" in read(self.path))
        await log.close(FOOTER)
        self.assertEqual(unstamped(read(self.path)), b"before, and long\nafter\n")
        self.assertEqual(log.size, len(b"before, and long\nafter\n"))

    @awaited
    async def test_removed_log(self) -> None:
        """A log that is removed while the frame prints is made anew and goes on."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"one\n")
        await until(lambda: b"one" in read(self.path))
        os.unlink(self.path)
        self.room.write(self.path, b"two\n")
        await log.close(FOOTER)
        self.assertEqual(STAMP.sub(b"", read(self.path)), b"two\n" + FOOTER)

    @awaited
    async def test_rotated_by_another_host(self) -> None:
        """A log that another host rotated away is found again; the other's is left alone."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"one\n")
        await until(lambda: b"one" in read(self.path))
        os.rename(self.path, self.path + ".1")
        with open(self.path, "wb") as other:
            other.write(b"other\n")
        self.room.write(self.path, b"two\n")
        await log.close(FOOTER)
        self.assertEqual(unstamped(read(self.path + ".1")), b"one\ntwo\n")
        self.assertEqual(read(self.path), b"other\n")

    @awaited
    async def test_quiet_logs_hold_no_descriptors(self) -> None:
        """Logs that wait for output need no descriptor each, also after some output."""
        logs = [await self.room.open(f"{self.path}{number}") for number in range(50)]
        before = len(os.listdir("/proc/self/fd"))
        for log in logs:
            self.room.write(log.path, b"a line\n")
        await until(lambda: all(b"a line" in read(log.path) for log in logs))
        await until(lambda: len(os.listdir("/proc/self/fd")) <= before)
        for log in logs:
            await log.close(FOOTER)

    @awaited
    async def test_killed_agents(self) -> None:
        """Agents are killed at any moment: the last one's log equals what the frame printed."""
        log = await self.room.open(self.path)
        log.leave()
        frame = self.room.run(self.path, PACED_LINES)
        rng = random.Random(3)
        for part in range(1, 9):
            agent = self.agent("follow")
            enough = part * 10000000 + rng.randrange(10000000)
            await until(lambda enough=enough: os.path.getsize(self.path) > enough)
            agent.kill()
            await until(lambda agent=agent: agent.poll() is not None)
        await until(lambda: frame.poll() is not None)
        agent = self.agent("end")
        await until(lambda: agent.poll() is not None)
        self.assertEqual(agent.returncode, 0)
        line = b"0123456789" * 9 + b"%09d\n"
        expected = b"".join(line % number for number in range(1000000))
        self.assertTrue(unstamped(read(self.path)) == expected)

    def agent(self, end: str) -> subprocess.Popen[bytes]:
        """A process that follows the log as an adopting agent does."""
        return subprocess.Popen(
            [sys.executable, "-c", AGENT, self.room.folder, self.path, end],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    @awaited
    async def test_footer_is_written_once(self) -> None:
        """An agent that dies after the footer, before it noted the end, leaves one footer."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"one\n")
        await log.close(FOOTER)
        again = await self.room.resume(self.path)
        await again.close(FOOTER)
        self.assertEqual(unstamped(read(self.path)), b"one\n")

    @awaited
    async def test_lost_checkpoint(self) -> None:
        """Without a checkpoint text may come twice, none is lost."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"one\n")
        await until(lambda: b"one" in read(self.path))
        log.leave()
        os.unlink(os.path.join(self.room.folder, os.path.basename(self.path) + ".checkpoint"))
        again = await self.room.resume(self.path)
        self.room.write(self.path, b"two\n")
        await again.close(FOOTER)
        text = unstamped(read(self.path))
        self.assertTrue(text.startswith(b"one\n") and text.endswith(b"two\n"), text)

    @awaited
    async def test_too_big_while_running(self) -> None:
        """The limit is told while the frame still prints."""
        self.room = LogRoom(self.mktemp(), max_size=10)
        self.addCleanup(self.room.stop)
        told: Deferred[None] = Deferred()
        path = os.path.join(self.room.folder, "big.rqlog")
        log = await self.room.open(path, lambda: told.callback(None))
        self.room.write(path, b"x" * 11)
        await told
        await log.close(FOOTER)
        self.assertEqual(read(path)[: len(HEADER)], HEADER)
