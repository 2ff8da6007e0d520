"""Where a frame's output goes: its spool and its log, from the opening to the last byte.

With timestamps on, the frame writes to its spool, which is followed into the log: a log folder that
hangs delays nothing but the log. With timestamps off, the frame writes to the log itself.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from rqd.frame.patience import TooLate, within
from rqd.frame.records import FrameFiles
from rqd.frame.site import Site
from rqd.log import Logger
from rqd.logging.interfaces import IDirectLog, IFrameLog, LogUnavailable

#: How long a start waits for a log folder that hangs, seconds.
OPEN_PATIENCE = 5.0


class Output:
    """The output of one frame. ``path`` is its log's."""

    log = Logger()

    def __init__(
        self, path: str, files: FrameFiles, site: Site, *, spooled: bool | None = None
    ) -> None:
        """``spooled``: whether there is a spool; as configured unless an earlier agent decided."""
        self.path = path
        self._files = files
        self._site = site
        self._spooled = site.terms.timestamps if spooled is None else spooled
        self._log: IFrameLog | None = None
        self._following = False

    @property
    def last(self) -> float | None:
        """When the frame last wrote something (seconds since the epoch), if that is known."""
        return self._log.last_output if self._log is not None else None

    async def open(
        self, header: bytes, owner: tuple[int, int] | None, too_big: Callable[[], None]
    ) -> None:
        """Open the log, or have it opened as soon as its folder answers.

        Raises LogUnavailable where the log can't be had: at once if it says so; after a bounded
        time if it hangs and the frame would have to write to it.
        """
        if self._spooled:
            await self._begin(header, owner, too_big)
        else:
            await self._open(header, owner, too_big)

    async def _begin(
        self, header: bytes, owner: tuple[int, int] | None, too_big: Callable[[], None]
    ) -> None:
        log, opened = self._site.logs.begin(
            self.path,
            header,
            spool_path=self._files.spool,
            checkpoint_path=self._files.checkpoint,
            owner=owner,
            too_big=too_big,
        )
        try:
            await within(opened, OPEN_PATIENCE, reactor=self._site.reactor)
            self._log = log
        except TooLate:
            self.log.debug("frame does not wait for its log path={path}", path=self.path)
            log.late()
            opened.addErrback(_leave_to_the_log)
            self._log = log
            self.follow()

    async def _open(
        self, header: bytes, owner: tuple[int, int] | None, too_big: Callable[[], None]
    ) -> None:
        opening = self._site.logs.open(
            self.path,
            header,
            spool_path=None,
            checkpoint_path=self._files.checkpoint,
            owner=owner,
            too_big=too_big,
        )
        try:
            self._log = await within(opening, OPEN_PATIENCE, reactor=self._site.reactor)
        except TooLate:
            opening.addCallbacks(lambda log: log.leave(), lambda _: None)
            raise LogUnavailable(f"{self.path}: the file system does not answer") from None

    async def resume(
        self, header: bytes, owner: tuple[int, int] | None, too_big: Callable[[], None]
    ) -> None:
        """Go on with the log of a frame that an earlier agent started; never waits for its mount.

        ``header`` is for one that the earlier agent could not make any more.
        """
        self._log = await self._site.logs.resume(
            self.path,
            header,
            spool_path=self._files.spool if self._spooled else None,
            checkpoint_path=self._files.checkpoint,
            owner=owner,
            too_big=too_big,
        )

    @property
    def target(self) -> str:
        """What the frame writes to, as a path that the agent's own user can open to append."""
        if self._spooled:
            return self._files.spool
        target: str = IDirectLog(self._log).target
        return target

    def follow(self) -> None:
        """Begin to copy what the frame writes, unless that has begun."""
        assert self._log is not None
        if not self._following:
            self._following = True
            self._log.start()

    async def tail(self, lines: int) -> bytes:
        """Return the last lines of output; may wait for a log folder that hangs."""
        return await self._log.tail(lines) if self._log is not None else b""

    def close(self, footer: bytes) -> Deferred[None]:
        """Finish the log, however long it takes; fires when it is whole or was never to be had."""
        return self._log.close(footer) if self._log is not None else succeed(None)

    def late(self) -> None:
        """Nobody waits for it any longer; whatever keeps it is said once for all logs there."""
        if self._log is not None:
            self._log.late()

    def forget(self) -> None:
        """It is whole. The log knows the frame (it may grow too big): a cycle, unless it is cut."""
        self._log = None

    def leave(self) -> None:
        """Stop following: the agent goes, the frame stays."""
        if self._log is not None:
            self._log.leave()


def _leave_to_the_log(_: Failure) -> None:
    """Once it is followed, a log tells of its trouble itself, and tries on."""
