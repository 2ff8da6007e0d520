"""Logs that somebody truncates, removes, replaces or rotates, while an agent lives or none does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from tests.integration.log_frames import FOOTER, HEADER, STAMP, LogRoom, read, until
from tests.logging.awaiting import awaited

PRECIOUS = b"precious"


class Moved:
    """One frame prints a line before, and one after, something is done to its log."""

    timeout = 60
    direct: bool
    alive: bool

    def setUp(self) -> None:
        self.room = LogRoom(self.mktemp(), direct=self.direct)
        self.addCleanup(self.room.stop)
        self.log = Path(self.room.folder, "logs", "job.frame.rqlog")
        self.precious = Path(self.room.folder, "precious")
        self.precious.write_bytes(PRECIOUS)

    async def closing(self, disturb: Callable[[], object]) -> Deferred[None]:
        """The end of the log, which may be long in coming."""
        log = await self.room.open(str(self.log))
        output = os.open(
            self.log if self.direct else self.room.spool(self.log.name), os.O_WRONLY | os.O_APPEND
        )
        self.addCleanup(os.close, output)
        os.write(output, b"one\n")
        await until(lambda: b"one\n" in self.text())
        if not self.alive:
            log.leave()
        disturb()
        os.write(output, b"two\n")
        if not self.alive:
            log = await self.room.resume(str(self.log))
        return log.close(FOOTER)

    def text(self, suffix: str = "") -> bytes:
        return STAMP.sub(b"", read(str(self.log) + suffix))

    def put_away(self) -> None:
        """Rename it to something that no rotation gives."""
        self.log.rename(str(self.log) + "~")

    def after(self) -> bytes:
        """The second line, if it can be in another file than the one that the frame writes to."""
        return b"" if self.direct else b"two\n"

    @awaited
    async def test_truncated(self) -> None:
        """It goes on from there."""
        await (await self.closing(lambda: os.truncate(self.log, 0)))
        self.assertEqual(self.text(), b"two\n" + FOOTER)

    @awaited
    async def test_removed(self) -> None:
        """It is made anew: what is still to come, and the footer."""
        await (await self.closing(self.log.unlink))
        self.assertEqual(self.text(), self.after() + FOOTER)

    @awaited
    async def test_replaced(self) -> None:
        """A file that an editor wrote is taken as it is."""

        def edit() -> None:
            self.put_away()
            self.log.write_bytes(b"edited\n")

        await (await self.closing(edit))
        self.assertEqual(self.text(), b"edited\n" + self.after() + FOOTER)

    @awaited
    async def test_rotated(self) -> None:
        """It goes on under the name that rotation gave; the other log is left alone."""

        def rotate() -> None:
            self.log.rename(str(self.log) + ".1")
            self.log.write_bytes(b"of another host, and longer than ours\n" * 9)

        await (await self.closing(rotate))
        self.assertEqual(self.text(".1"), HEADER + b"one\ntwo\n" + FOOTER)
        self.assertEqual(self.text(), b"of another host, and longer than ours\n" * 9)

    @awaited
    async def test_link(self) -> None:
        """Nothing is written through a link; the log waits until that is gone."""

        def link() -> None:
            self.put_away()
            self.log.symlink_to(self.precious)

        await self.waits(link, self.log.unlink)
        self.assertEqual(self.precious.read_bytes(), PRECIOUS)

    @awaited
    async def test_folder(self) -> None:
        """So it is with a folder."""

        def mkdir() -> None:
            self.put_away()
            self.log.mkdir()

        await self.waits(mkdir, self.log.rmdir)

    async def waits(self, disturb: Callable[[], object], mend: Callable[[], object]) -> None:
        closed = await self.closing(disturb)
        self.assertFalse(closed.called)
        mend()
        await closed
        self.assertEqual(self.text(), self.after() + FOOTER)


class SpooledTests(Moved, TestCase):
    direct, alive = False, True


class SpooledAwayTests(Moved, TestCase):
    direct, alive = False, False


class DirectTests(Moved, TestCase):
    direct, alive = True, True


class DirectAwayTests(Moved, TestCase):
    direct, alive = True, False
