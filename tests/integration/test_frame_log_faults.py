"""Frame logs on storage that hangs or fails: only that log suffers, and only for a while."""

from __future__ import annotations

import os
import resource
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SkipTest, TestCase

from rqd.logging.interfaces import LogUnavailable
from rqd.logging.mounttable import MountTable
from tests.integration.faultmount import FaultMount, lacking
from tests.integration.log_frames import FOOTER, STAMP, LogRoom, read, unstamped, until
from tests.logging.awaiting import awaited


class FaultyMountTests(TestCase):
    """A log on a FUSE mount that does what it is told, and one beside it on a healthy disk."""

    timeout = 120

    def setUp(self) -> None:
        if (reason := lacking()) is not None:
            raise SkipTest(reason)
        folder = os.path.abspath(self.mktemp())
        self.mount = FaultMount(folder)
        self.addCleanup(self.mount.stop)
        self.room = LogRoom(os.path.join(folder, "local"), max_size=200 << 20)
        self.addCleanup(self.room.stop)
        self.addCleanup(self.mount.fail)
        self.path = os.path.join(self.mount.point, "logs", "job.frame.rqlog")
        self.real = os.path.join(self.mount.real, "logs", "job.frame.rqlog")
        self.healthy = os.path.join(self.room.folder, "logs", "other.frame.rqlog")

    async def copied(self, text: bytes, path: str) -> None:
        """Wait until ``text`` is in the log, read past the mount."""
        await until(lambda: text in read(path))

    @awaited
    async def test_hang(self) -> None:
        """While a mount hangs, logs elsewhere go on; when it is back, its own text follows."""
        log = await self.room.open(self.path)
        other = await self.room.open(self.healthy)
        self.room.write(self.path, b"before\n")
        await self.copied(b"before", self.real)
        self.mount.fail("* hang")
        self.room.write(self.path, b"meanwhile\n")
        for number in range(5):
            text = b"healthy %d\n" % number
            self.room.write(self.healthy, text)
            await self.copied(text, self.healthy)
        await other.close(FOOTER)
        self.assertEqual(log.size, len(b"before\nmeanwhile\n"))
        self.assertNotIn(b"meanwhile", read(self.real))
        closed = log.close(FOOTER)
        self.assertEqual(await log.tail(1), b"meanwhile\n")
        self.assertFalse(closed.called)
        self.mount.fail()
        await closed
        self.assertEqual(unstamped(read(self.real)), b"before\nmeanwhile\n")

    @awaited
    async def test_many_hang(self) -> None:
        """Twenty logs that hang cost two threads, and none of those of other mounts."""
        logs = [await self.room.open(f"{self.path}{number}") for number in range(20)]
        other = await self.room.open(self.healthy)
        self.mount.fail("* hang")
        for log in logs:
            self.room.write(log.path, b"text\n")
        await until(lambda: all(log.size for log in logs))
        self.room.write(self.healthy, b"text\n")
        await self.copied(b"text", self.healthy)
        self.assertLessEqual(self.room.workers.thread_count, 6)
        self.mount.fail()
        for log in [*logs, other]:
            await log.close(FOOTER)
        for number in range(20):
            self.assertEqual(unstamped(read(f"{self.real}{number}")), b"text\n")

    @awaited
    async def test_hang_is_bounded(self) -> None:
        """Text that waits needs disk, not memory; the size limit holds meanwhile."""
        told: Deferred[None] = Deferred()
        log = await self.room.open(self.path, lambda: told.callback(None))
        self.mount.fail("* hang")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        piece = (b"x" * 99 + b"\n") * 10000
        for _ in range(211):
            self.room.write(self.path, piece)
        await told
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, 30 * 1024)
        self.mount.fail()
        await log.close(FOOTER)
        self.assertTrue(unstamped(read(self.real)) == piece * 211)

    @awaited
    async def test_times_of_writing(self) -> None:
        """Text that follows late is stamped with the times when it was written."""
        log = await self.room.open(self.path)
        self.mount.fail("* hang")
        written = []
        for _ in range(3):
            self.room.write(self.path, b"line\n")
            size = log.size
            await until(lambda size=size: log.size > size)
            written.append(time.strftime("[%H:%M:%S] ", time.localtime(log.last_output)))
            second = int(log.last_output)
            await until(lambda second=second: int(time.time()) > second + 1)
        self.mount.fail()
        await log.close(FOOTER)
        self.assertEqual(STAMP.findall(read(self.real)), [stamp.encode() for stamp in written])

    @awaited
    async def test_write_errors(self) -> None:
        """A full disk, a failing one, a stale handle: the text follows when that is over."""
        for error in ("ENOSPC", "EIO", "ESTALE", "EDQUOT"):
            path, real = f"{self.path}.{error}", f"{self.real}.{error}"
            log = await self.room.open(path)
            self.room.write(path, b"before\n")
            await self.copied(b"before", real)
            self.mount.fail(f"write {error}")
            self.room.write(path, b"after\n")
            size = len(b"before\nafter\n")
            await until(lambda log=log, size=size: log.size == size)
            closed = log.close(FOOTER)
            self.assertFalse(closed.called)
            self.mount.fail()
            await closed
            self.assertEqual(unstamped(read(real)), b"before\nafter\n")

    @awaited
    async def test_late_errors(self) -> None:
        """What the close reports (NFS does) is written again."""
        log = await self.room.open(self.path)
        self.mount.fail("flush ENOSPC")
        for number in range(3):
            self.room.write(self.path, b"%d\n" % number)
        await self.copied(b"2\n", self.real)
        closed = log.close(FOOTER)
        self.mount.fail()
        await closed
        self.assertEqual(unstamped(read(self.real)), b"0\n1\n2\n")

    @awaited
    async def test_late_error_far_behind(self) -> None:
        """Nothing is given back before the storage surely has it."""
        log = await self.room.open(self.path)
        self.mount.fail("flush EIO", "fsync EIO")
        piece = (b"x" * 99 + b"\n") * 10000
        for _ in range(80):
            self.room.write(self.path, piece)
        await until(lambda: os.path.getsize(self.real) > 60 << 20)
        closed = log.close(FOOTER)
        self.mount.fail()
        await closed
        self.assertTrue(unstamped(read(self.real)) == piece * 80)

    @awaited
    async def test_cannot_open(self) -> None:
        """A log that can't be opened explains itself, with the mount it is on."""
        self.mount.fail("create EIO")
        try:
            await self.room.open(self.path)
        except LogUnavailable as error:
            for part in ("EIO", "effective uid", "fuse", self.mount.point, "Hint"):
                self.assertIn(part, error.explanation)
        else:
            self.fail("opened")

    @awaited
    async def test_full_disk_at_the_header(self) -> None:
        """A log that takes no header leaves no empty file that would rotate others away."""
        self.mount.fail("write ENOSPC")
        try:
            await self.room.open(self.path)
        except LogUnavailable as error:
            self.assertIn("ENOSPC", error.explanation)
        self.assertEqual(os.listdir(os.path.dirname(self.real)), [])

    @awaited
    async def test_begin_while_hung(self) -> None:
        """A frame whose log can't be opened for a while is followed; its log is whole later."""
        self.mount.fail("* hang")
        log, opened = self.room.begin(self.path)
        log.start()
        self.room.write(self.path, b"text\n")
        await until(lambda: log.size > 0)
        self.mount.fail("create EIO")
        await self.assertFailure(opened, LogUnavailable)
        self.room.write(self.path, b"more\n")
        self.mount.fail()
        await log.close(FOOTER)
        self.assertEqual(unstamped(read(self.real)), b"text\nmore\n")

    @awaited
    async def test_log_that_was_never_opened(self) -> None:
        """The successor makes the log that its predecessor waited for until it died."""
        self.mount.fail("* hang")
        self.room.write(self.path, b"text\n")
        log = await self.room.resume(self.path)
        self.mount.fail()
        await log.close(FOOTER)
        self.assertEqual(unstamped(read(self.real)), b"text\n")

    @awaited
    async def test_resume_while_hung(self) -> None:
        """An agent that starts while the mount hangs has its log at once; the text follows."""
        log = await self.room.open(self.path)
        self.room.write(self.path, b"before\n")
        await self.copied(b"before", self.real)
        log.leave()
        self.mount.fail("* hang")
        again = await self.room.resume(self.path)
        self.room.write(self.path, b"after\n")
        await until(lambda: again.size == len(b"before\nafter\n"))
        self.mount.fail()
        await again.close(FOOTER)
        self.assertEqual(unstamped(read(self.real)), b"before\nafter\n")

    @awaited
    async def test_hung_workers_do_not_hold_up_the_end(self) -> None:
        """Stopping the workers is bounded by what the caller is willing to wait."""
        log = await self.room.open(self.path)
        self.mount.fail("* hang")
        log.close(FOOTER)
        before = reactor.seconds()
        await self.room.workers.stop(0.05)
        self.assertLess(reactor.seconds() - before, 5)

    def test_new_mount_is_seen(self) -> None:
        """A mount that comes later is known at the next question, by the kernel's own word."""
        table = MountTable(fresh=0)
        self.addCleanup(table.close)
        later = FaultMount(os.path.abspath(self.mktemp()))
        inside = os.path.join(later.point, "logs", "a")
        try:
            found = table.mount_of(inside)
        finally:
            later.stop()
        self.assertEqual((found.point, found.local), (later.point, False))
        self.assertNotEqual(table.mount_of(inside).point, later.point)
