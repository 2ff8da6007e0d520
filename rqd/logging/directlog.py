"""A log that the frame writes itself (timestamps off): the agent looks at its size now and then.

The file may be on a mount that hangs: every touch is a worker's job.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.blanks import Blanks
from rqd.log import Logger
from rqd.logging import checkpoint, spool
from rqd.logging.checkpoint import Position
from rqd.logging.explain import explain
from rqd.logging.interfaces import IDirectLog, LogUnavailable
from rqd.logging.logfile import LogFile
from rqd.logging.mounts import WorkersStopped
from rqd.logging.rounds import Found, Rounds
from rqd.logging.spoollog import RETRY_FIRST, RETRY_LAST, Means
from rqd.logging.watching import OutputSize

_APPEND = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


class DirectFile:
    """The worker's side.

    The checkpoint holds the header's length and, once a footer was begun, where: then its last
    field is false. With ``header`` there is no log yet: an earlier agent died before it had made
    one, so the frame never ran.
    """

    def __init__(
        self,
        log: LogFile,
        checkpoint_path: str,
        position: Position,
        blanks: Blanks,
        header: bytes | None = None,
    ) -> None:
        self._log = log
        self._header = header
        self._checkpoint_path = checkpoint_path
        self._blanks = blanks
        self._position = position

    def create(self, header: bytes) -> int:
        """A new log, and a descriptor for the frame to write to; raises ``LogUnavailable``."""
        try:
            self._create(header)
            return os.open(self._log.path, _APPEND)
        except (OSError, ValueError) as error:
            raise LogUnavailable(explain(self._log.path, error)) from error

    @property
    def header_length(self) -> int:
        """Where the output begins."""
        return self._position.offset

    def look(self) -> tuple[int, float]:
        """Bytes of output and the time of the last."""
        _, facts = self._log.look()
        return max(facts.st_size - self.header_length, 0), facts.st_mtime

    def tail(self, lines: int) -> bytes:
        """The last lines of output."""
        try:
            name, _ = self._log.look()
        except FileNotFoundError:
            return b""
        return spool.last_lines(name, lines, self.header_length)

    def add_footer(self, footer: bytes, output: int | None) -> None:
        """Complete the log; a footer that an earlier try began is cut off first.

        ``output`` is what the frame wrote to, if that is still open.
        """
        try:
            if output is not None:
                self._log.adopt(output)
            if self._header is not None:
                self._create(self._header)
            end = self._find_end()
            self._log.append([footer] if self._log.ends_line(end) else [b"\n", footer])
            self._log.close()
        finally:
            self._log.abandon()

    def _create(self, header: bytes) -> None:
        self._position = Position(len(header), 0, True)
        self._log.create(header, self._note)
        self._header = None

    def _find_end(self) -> int:
        """Open the log; where the output ends, and the footer shall begin."""
        inode = self._log.inode
        size = self._log.open()
        _, begun, none_begun = self._position
        if none_begun or inode != self._log.inode or size < begun:
            self._position = self._position._replace(length=size, at_line_start=False)
            self._note()
            return size
        self._log.truncate(begun)
        return begun

    def _note(self) -> None:
        checkpoint.create(self._checkpoint_path, self._position, self._log.inode, self._blanks)


@implementer(IDirectLog)
class DirectLog:
    """See ``IFrameLog``."""

    log = Logger()

    def __init__(
        self, path: str, file: DirectFile, size: OutputSize, means: Means, rounds: Rounds
    ) -> None:
        self.path = path
        self.last_output = means.wall_clock()
        self._file = file
        self._size = size
        self._reactor = means.reactor
        self._workers = means.workers
        self._wall_clock = means.wall_clock
        self._rounds = rounds
        self._output: int | None = None
        self._pause = RETRY_FIRST
        self._troubles = means.troubles

    @property
    def size(self) -> int:
        """Bytes of output, as of the last look."""
        return self._size.value

    def open(self, header: bytes) -> Deferred[None]:
        """Make the log; fails with ``LogUnavailable``."""
        return self._workers.run(self.path, self._file.create, header).addCallback(self._opened)

    def _opened(self, output: int) -> None:
        self._output = output

    @property
    def target(self) -> str:
        """See ``IDirectLog``. It leads to this very file, whatever has its name by then."""
        assert self._output is not None
        return f"/proc/{os.getpid()}/fd/{self._output}"

    def start(self) -> None:
        """Begin to look, after a while: most frames are over by then."""
        self._rounds.join(self)

    def look(self) -> tuple[int, float]:
        """See ``Watched``."""
        return self._file.look()

    def looked(self, found: Found) -> None:
        """See ``Watched``."""
        if isinstance(found, OSError):
            self._troubles.begin(self.path, str(found))
            return
        size, written = found
        self._troubles.end(self.path)
        self.last_output = min(written, self._wall_clock())
        self._size.value = size
        self._size.check()

    def tail(self, lines: int) -> Deferred[bytes]:
        """The last lines; waits for the log's file system."""
        return self._workers.run(self.path, self._file.tail, lines)

    def close(self, footer: bytes) -> Deferred[None]:
        """Add the footer."""
        self._rounds.leave(self)
        closed: Deferred[None] = Deferred()
        self._add_footer(footer, closed)
        return closed

    def leave(self) -> None:
        """Look no more."""
        self._rounds.leave(self)
        if self._output is not None:
            self._workers.run(self.path, os.close, self._output).addErrback(self._not_closed)
            self._output = None

    def late(self) -> None:
        """It hangs."""
        self._troubles.begin(self.path, "the file system does not answer")

    def _add_footer(self, footer: bytes, closed: Deferred[None]) -> None:
        output, self._output = self._output, None
        adding = self._workers.run(self.path, self._file.add_footer, footer, output)
        adding.addCallbacks(
            self._complete,
            self._try_later,
            callbackArgs=(closed,),
            errbackArgs=(footer, closed),
        )

    def _complete(self, _: None, closed: Deferred[None]) -> None:
        self._troubles.end(self.path)
        closed.callback(None)

    def _try_later(self, failure: Failure, footer: bytes, closed: Deferred[None]) -> None:
        if not failure.check(WorkersStopped):
            self._troubles.begin(self.path, str(failure.value))
            self._reactor.callLater(self._pause, self._add_footer, footer, closed)
            self._pause = min(self._pause * 2, RETRY_LAST)

    def _not_closed(self, failure: Failure) -> None:
        self.log.debug("log: {error} log={path}", path=self.path, error=failure.value)
