"""What a frame's life adds to its record, and what waits for that.

``rqd.frame.records`` has the files themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rqd.frame.exits import FrameEnd
from rqd.frame.members import IMembers
from rqd.frame.output import Output
from rqd.frame.patience import TooLate, after
from rqd.frame.phases import END_PATIENCE, Kill, Phase
from rqd.frame.places import IPlace
from rqd.frame.records import KillNote
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.log import Logger
from rqd.logging.mounts import WorkersStopped
from rqd.system.reservations import Reservation
from rqd.system.usage import EMPTY_USAGE, FrameUsage

T = TypeVar("T")


class Kept:
    """What is known of one launch of one frame, and how that gets on disk.

    ``started_at`` is in seconds since the epoch. ``usage`` is what was last sampled, until the
    first signal. ``explanation`` says why a frame could not be started. ``recorded`` fires once
    the frame is on disk, from when on its end is reported whatever becomes of this agent; it fails
    with Unavailable where that can't be. ``kept`` tells whether its report is on disk.
    """

    log = Logger()

    def __init__(
        self,
        spec: FrameSpec,
        key: str,
        reservation: Reservation,
        identity: Identity | None,
        site: Site,
    ) -> None:
        self.spec = spec
        self.key = key
        self.reservation = reservation
        self.phase = Phase.ACCEPTED
        self.started_at = site.time()
        self.usage: FrameUsage = EMPTY_USAGE
        self.explanation = ""
        self.members: IMembers | None = None
        self.berth: IPlace | None = None
        self.recorded: Deferred[None] = Deferred()
        self._site = site
        self._identity = identity
        self._files = site.records.files(key)
        self.output = Output(spec.log_path, self._files, site)
        self._born = site.reactor.seconds()
        self._kill: Kill | None = None
        self._climbing = self._swept = False
        self.kept = False
        self._remarks: tuple[str, ...] = ()
        self._log_whole: Deferred[None] | None = None
        self._ended: FrameEnd | None = None
        self._writes: list[Deferred[None]] = []

    @property
    def last_output(self) -> float:
        """When the frame last wrote something; its start before that. Seconds since the epoch."""
        return self.output.last or self.started_at

    @property
    def run_time(self) -> float:
        """Seconds since it was accepted."""
        return self._site.reactor.seconds() - self._born

    @property
    def dying(self) -> bool:
        """Whether it was told to end."""
        return self._kill is not None

    def sampled(self, usage: FrameUsage) -> None:
        """Take the newest statistics, but none of a dying frame: they would say nothing."""
        if self.phase is Phase.RUNNING and self._kill is None:
            self.usage = usage

    def _end(self) -> tuple[float, float]:
        """When it ended (seconds since the epoch), and after how long; asked at the end."""
        return self._site.time(), self.run_time

    def _note(self, kill: Kill) -> None:
        """Let a later agent go on with it. Nobody waits: a disk that hangs delays no kill."""
        note = KillNote(*kill, at=self._site.reactor.seconds())
        self._write(partial(self._files.write_kill, note), lambda _: None)

    def _keep(self, report: bytes, footer: bytes) -> Deferred[None]:
        """Put the report on disk, now if it can be.

        If not, its chain file has to tell the next agent how it ended: no frame has the berth next.
        """
        write = partial(self._files.write_report, report, footer)
        kept = self._site.disk.soon(self._write(write, self._was_kept), END_PATIENCE)
        return kept.addErrback(self._keeps_hanging)

    def _write(self, write: Callable[[], None], written: Callable[[None], None]) -> Deferred[None]:
        """Add to the record; what the disk refuses is written when it is back.

        Fires after the first try, whatever came of it.
        """
        writing = self._site.disk.write(write).addCallbacks(
            written, self._not_written, errbackArgs=(write, written)
        )
        self._is_writing(writing)
        return writing

    def _is_writing(self, work: Deferred[T]) -> None:
        self._writes.append(after(work))

    def _was_kept(self, _: None) -> None:
        self.kept = True

    def _not_written(
        self, failure: Failure, write: Callable[[], None], written: Callable[[None], None]
    ) -> None:
        failure.trap(OSError, WorkersStopped)
        if failure.check(OSError):
            self._site.disk.unkept.add(self.key, write).addCallback(written)

    def _keeps_hanging(self, failure: Failure) -> None:
        failure.trap(TooLate)
        self._site.disk.say_silent()

    async def _written(self) -> None:
        """Until nothing is being written to its record, as what is removed may be used again."""
        for write in self._writes:
            await write
