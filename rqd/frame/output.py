"""Where a frame's output goes: its spool and its log, from the opening to the last byte.

With timestamps on, the frame writes to its spool, which is followed into the log: a log folder that
hangs delays nothing but the log. With timestamps off, the frame writes to the log itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.defer import Deferred
from rqd.log import Logger
from twisted.python.failure import Failure

from rqd.frame.patience import within
from rqd.frame.records import FrameFolder
from rqd.frame.site import Site
from rqd.logging.interfaces import IFrameLog, LogUnavailable

#: How long a start waits for a log folder that hangs, seconds.
OPEN_PATIENCE = 5.0


class Output:
    """The output of one frame. ``path`` is its log's."""

    log = Logger()

    def __init__(self, path: str, folder: FrameFolder, site: Site) -> None:
        self.path = path
        self._folder = folder
        self._site = site
        self._log: IFrameLog | None = None
        self._opening: Deferred[None] | None = None
        self._following = False

    @property
    def last(self) -> float | None:
        """When the frame last wrote something (seconds since the epoch), if that is known."""
        return self._log.last_output if self._log is not None else None

    # -- opening -------------------------------------------------------------------------------

    def open(self, header: bytes, owner: tuple[int, int] | None, too_big: Callable[[], None]) -> None:
        """Begin to open the log; ``ready`` tells what came of it."""
        opening = self._site.logs.open(
            self.path,
            header,
            spool_path=self._folder.file("spool") if self._site.terms.timestamps else None,
            checkpoint_path=self._folder.file("checkpoint"),
            owner=owner,
            too_big=too_big,
        )
        self._opening = opening.addCallback(self._opened)

    def _opened(self, log: IFrameLog) -> None:
        self._log = log
        if self._following:
            log.start()

    async def ready(self) -> None:
        """Wait until the log is open, or has hung long enough.

        Raises LogUnavailable where the log can't be had: at once if it says so; after a bounded
        time if it hangs and the frame would have to write to it.
        """
        assert self._opening is not None
        if await within(self._opening, OPEN_PATIENCE, reactor=self._site.reactor):
            await self._opening
        elif self._site.terms.timestamps:
            self.log.warn("log folder hangs, frame starts without path={path}", path=self.path)
            self._opening.addErrback(self._unavailable_late)
        else:
            self._opening.addErrback(lambda _: None)
            raise LogUnavailable(f"{self.path}: the file system does not answer")

    def _unavailable_late(self, failure: Failure) -> None:
        self.log.error("log can't be opened path={path} reason={why}", path=self.path, why=failure.value)

    async def descriptor(self, spool: int) -> int:
        """Return what the frame writes to; the caller closes it."""
        if self._site.terms.timestamps:
            return os.dup(spool)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        opened = await self._site.workers.run(self.path, os.open, self.path, flags)
        assert isinstance(opened, int)
        return opened

    # -- following and closing -----------------------------------------------------------------

    def follow(self) -> None:
        """Begin to copy what the frame writes."""
        self._following = True
        if self._log is not None:
            self._log.start()

    async def tail(self, lines: int) -> bytes:
        """Return the last lines of output; nothing where the log was never opened."""
        return await self._log.tail(lines) if self._log is not None else b""

    def close(self, footer: bytes) -> Deferred[None]:
        """Finish the log, however long that takes; fires when it is whole or was never to be had."""
        assert self._opening is not None
        return self._opening.addErrback(lambda _: None).addCallback(
            lambda _: self._log.close(footer) if self._log is not None else None
        )

    def leave(self) -> None:
        """Stop following: the agent goes, the frame stays."""
        if self._log is not None:
            self._log.leave()
