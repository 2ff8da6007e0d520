"""What every kind of frame log does: one suite for the real ones and their in-memory twin."""

from __future__ import annotations

import os
import re

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from rqd.blanks import Blanks
from rqd.logging.framelogs import FrameLogs
from rqd.logging.interfaces import IFrameLog, IFrameLogs, LogUnavailable
from rqd.logging.mounts import MountWorkers
from rqd.logging.mounttable import MountTable
from rqd.logging.wakeups import Wakeups
from tests.logging.awaiting import awaited
from tests.logging.fakes import MemoryLogs

LIMIT = 1000


class Contract:
    """The behaviour; each kind says how a frame prints and how the log is read."""

    logs: IFrameLogs

    def setUp(self) -> None:
        self.told: Deferred[None] = Deferred()
        self.times_told = 0

    def too_big(self) -> None:
        self.times_told += 1
        if self.times_told == 1:
            self.told.callback(None)

    async def opened(self, name: str = "j.f.rqlog") -> IFrameLog:
        return await self.logs.open(
            self.path(name),
            b"header\n",
            spool_path=self.spool(name),
            checkpoint_path=self.path(name + ".checkpoint"),
            owner=None,
            too_big=self.too_big,
        )

    async def resumed(self, name: str = "j.f.rqlog") -> IFrameLog:
        return await self.logs.resume(
            self.path(name),
            b"header\n",
            spool_path=self.spool(name),
            checkpoint_path=self.path(name + ".checkpoint"),
            owner=None,
            too_big=self.too_big,
        )

    @awaited
    async def test_provides_the_interfaces(self) -> None:
        """Both seams are provided as declared."""
        verifyObject(IFrameLogs, self.logs)
        log = await self.opened()
        verifyObject(IFrameLog, log)
        await log.close(b"")

    @awaited
    async def test_header_output_footer(self) -> None:
        """A closed log holds the header, the output unchanged, and the footer."""
        log = await self.opened()
        log.start()
        self.emit(log, b"one\r\ntwo \xff\x00\n")
        await log.close(b"footer\n")
        self.assertEqual(self.text(log), b"header\none\r\ntwo \xff\x00\nfooter\n")

    @awaited
    async def test_no_output(self) -> None:
        """The footer of a silent frame follows the header."""
        log = await self.opened()
        log.start()
        await log.close(b"footer\n")
        self.assertEqual(self.text(log), b"header\nfooter\n")

    @awaited
    async def test_partial_last_line(self) -> None:
        """A last line without its end is kept, and the footer begins a new one."""
        log = await self.opened()
        log.start()
        self.emit(log, b"one\ntwo")
        await log.close(b"footer\n")
        self.assertEqual(self.text(log), b"header\none\ntwo\nfooter\n")

    @awaited
    async def test_tail(self) -> None:
        """The tail is the last lines as the frame wrote them, also a partial one."""
        log = await self.opened()
        log.start()
        self.emit(log, b"one\ntwo\nthr\xffee\nfour")
        self.assertEqual(await log.tail(2), b"thr\xffee\nfour")
        self.assertEqual(await log.tail(9), b"one\ntwo\nthr\xffee\nfour")
        self.assertEqual(await log.tail(0), b"")
        await log.close(b"")

    @awaited
    async def test_tail_without_output(self) -> None:
        """The header is no output."""
        log = await self.opened()
        log.start()
        self.assertEqual(await log.tail(5), b"")
        await log.close(b"")

    @awaited
    async def test_tail_is_bounded(self) -> None:
        """Of an endless line there is a MiB."""
        log = await self.opened()
        log.start()
        self.emit(log, b"a" + b"x" * (1 << 20))
        self.assertEqual(await log.tail(1), b"x" * (1 << 20))
        await log.close(b"")

    @awaited
    async def test_too_big(self) -> None:
        """Output over the limit is told once."""
        log = await self.opened()
        log.start()
        self.emit(log, b"x" * LIMIT)
        self.emit(log, b"x")
        await self.told
        self.emit(log, b"more\n")
        await log.close(b"footer\n")
        self.assertEqual(self.times_told, 1)
        self.assertGreater(log.size, LIMIT)

    @awaited
    async def test_second_log_of_a_name(self) -> None:
        """Opening a log where one is begins with an empty one."""
        first = await self.opened()
        await first.close(b"")
        second = await self.opened()
        await second.close(b"end\n")
        self.assertEqual(self.text(second), b"header\nend\n")

    @awaited
    async def test_left_and_resumed(self) -> None:
        """A log that one agent leaves is continued by the next."""
        log = await self.opened()
        log.start()
        self.emit(log, b"one\ntw")
        log.leave()
        self.emit(log, b"o\n")
        log = await self.resumed()
        log.start()
        self.emit(log, b"three\n")
        await log.close(b"footer\n")
        self.assertEqual(self.text(log), b"header\none\ntwo\nthree\nfooter\n")

    @awaited
    async def test_unavailable(self) -> None:
        """A log that can't be opened says why."""
        self.forbid()
        try:
            await self.opened()
        except LogUnavailable as error:
            self.assertIn("cannot be opened", error.explanation)
        else:
            self.fail("opened")


class BeginContract(Contract):
    """Of the kinds that can begin before they are open."""

    def begun(self, name: str = "j.f.rqlog") -> tuple[IFrameLog, Deferred[None]]:
        return self.logs.begin(
            self.path(name),
            b"header\n",
            spool_path=self.spool(name),
            checkpoint_path=self.path(name + ".checkpoint"),
            owner=None,
            too_big=self.too_big,
        )

    @awaited
    async def test_started_before_it_is_open(self) -> None:
        """What comes before the log is open is watched, and in the log at the end."""
        log, opened = self.begun()
        log.start()
        self.emit(log, b"x" * LIMIT + b"\n")
        await self.told
        await opened
        await log.close(b"footer\n")
        self.assertEqual(self.text(log), b"header\n" + b"x" * LIMIT + b"\nfooter\n")

    @awaited
    async def test_begun_in_vain(self) -> None:
        """A log that was begun and can't be opened says why."""
        self.forbid()
        _, opened = self.begun()
        await self.assertFailure(opened, LogUnavailable)


class MemoryContract(BeginContract, TestCase):
    """The in-memory twin."""

    def setUp(self) -> None:
        super().setUp()
        self.logs = MemoryLogs(LIMIT)

    def path(self, name: str) -> str:
        return "/logs/" + name

    spool = path

    def emit(self, log, output: bytes) -> None:
        self.logs.logs[log.path].write(output)

    def text(self, log) -> bytes:
        return log.text

    def forbid(self) -> None:
        self.logs.refusal = "cannot be opened: forbidden"


class RealContract(Contract):
    """Real files, threads and inotify."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = os.path.abspath(self.mktemp())
        self.forbidden = False
        os.mkdir(self.folder)
        table = MountTable()
        self.workers = MountWorkers(reactor=reactor, table=table)
        self.wakeups = Wakeups(reactor=reactor)
        self.addCleanup(self.workers.stop, 5)
        self.addCleanup(self.wakeups.stop)
        self.logs = FrameLogs(
            reactor=reactor,
            workers=self.workers,
            wakeups=self.wakeups,
            table=table,
            blanks=Blanks(self.folder),
            max_size=LIMIT,
        )

    def path(self, name: str) -> str:
        return os.path.join(self.folder, "forbidden" if self.forbidden else "", name)

    def forbid(self) -> None:
        with open(os.path.join(self.folder, "forbidden"), "w"):
            self.forbidden = True

    def append(self, path: str, output: bytes) -> None:
        with open(path, "ab") as file:
            file.write(output)


class SpooledContract(BeginContract, RealContract, TestCase):
    """Logs copied from a spool, with stamps."""

    def spool(self, name: str) -> str:
        path = os.path.join(self.folder, name + ".spool")
        self.append(path, b"")
        return path

    def emit(self, log, output: bytes) -> None:
        self.append(self.spool(os.path.basename(log.path)), output)

    def text(self, log) -> bytes:
        with open(log.path, "rb") as file:
            return re.sub(rb"(?m)^\[\d\d:\d\d:\d\d\] ", b"", file.read())


class DirectContract(RealContract, TestCase):
    """Logs that the frame writes itself."""

    def spool(self, name: str) -> None:
        return None

    def emit(self, log, output: bytes) -> None:
        self.append(log.path, output)

    def text(self, log) -> bytes:
        with open(log.path, "rb") as file:
            return file.read()
