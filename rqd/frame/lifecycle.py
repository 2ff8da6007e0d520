"""The life of one frame, from accepted to reported: read ``Frame.live`` from top to bottom.

::

    ACCEPTED ──▶ RUNNING ──▶ ENDING ──▶ ENDED
        └─ never started ──────▲

Everything here happens on the reactor; what blocks is awaited from workers.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import NamedTuple, TypeVar

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rqd.background import background
from rqd.frame import chain, texts
from rqd.frame.berths import Berth, NoBerth
from rqd.frame.environment import frame_environment
from rqd.frame.exits import (
    COULD_NOT_START,
    LOG_TOO_BIG,
    OUT_OF_MEMORY,
    Exit,
    FrameEnd,
    from_wait,
    read_chain,
)
from rqd.frame.ladder import Grace, Ladder
from rqd.frame.members import IMembers
from rqd.frame.output import Output
from rqd.frame.patience import TooLate, tell, within
from rqd.frame.records import KillNote
from rqd.frame.remains import Remains
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.frame.supervisor import Supervisor
from rqd.frame.users import Identity
from rqd.log import Logger
from rqd.logging.interfaces import LogUnavailable
from rqd.logging.mounts import WorkersStopped
from rqd.logging.rules import apply
from rqd.refusals import Unavailable
from rqd.system.oomkills import WINDOW
from rqd.system.reservations import Reservation
from rqd.system.usage import EMPTY_USAGE, FrameUsage

T = TypeVar("T")

#: How long a completion waits for each that hangs: the rest of its log, the state folder; seconds.
END_PATIENCE = 5.0


class Phase(Enum):
    """Where a frame is in its life."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class CouldNotStart(Exception):
    """The frame never ran; the text explains it to people."""


class NotTaken(Exception):
    """The frame could not be put on disk, so its launch is refused and nobody hears of an end."""


class NotWanted(Exception):
    """The frame was killed, or its launch abandoned, before its process was started."""


class Kill(NamedTuple):
    """Why the agent ends a frame.

    ``status`` and ``signal`` take the place of those that it ends with, unless None; ``patience``
    (seconds) that of a longer time of grace, and then the end is forced.
    """

    reason: str
    status: int | None = None
    signal: int | None = None
    patience: float | None = None


#: The end of a frame that was killed before it could start.
_ASKED_TO_END = Exit(1, signal.SIGTERM)
_TOO_BIG = Kill("the log grew over its limit (log_max_size)", LOG_TOO_BIG)


class Frame:
    """One launch of one frame.

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
        self.berth: Berth | None = None
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

    # -- the life ------------------------------------------------------------------------------

    async def live(self) -> bytes:
        """Run the frame to its end and return its completion report.

        It is on disk by then, unless that is in trouble (``kept``). Raises NotTaken.
        """
        try:
            ended = await self._run()
        except CouldNotStart as problem:
            self.explanation = str(problem)
            self.log.error(
                "frame could not be started frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                job=self.spec.job_name,
                reason=self.explanation,
            )
            ended = Exit(COULD_NOT_START) if self._kill is None else self._by_agent(_ASKED_TO_END)
        except NotWanted:
            ended = self._by_agent(_ASKED_TO_END)
        except NotTaken as problem:
            self._withdraw(str(problem))
            raise
        finally:
            if not self._site.withholding.holds(self.key):
                self._site.ledger.release(self.key)
            if not self.recorded.called:
                self.recorded.callback(None)  # who launched it hears of its end
        return await self._finish(ended)

    async def _run(self) -> Exit:
        """From the start to the exit as it is reported.

        Raises CouldNotStart, NotTaken or NotWanted.
        """
        return await self._follow(await self._start())

    async def come_to_rest(self) -> Remains:
        """What is left to do once the report is on its way, until the log, at last, is whole.

        And until nobody has to withhold any more what the frame held.
        """
        self._leave_berth()
        if self._log_whole is not None:
            await self._log_whole
        await self._site.withholding.gone(self.key)
        await self._written()
        chain = "" if self.berth is None else self.berth.chain
        return Remains(self._site.records, self.key, self._files.script, chain)

    async def _written(self) -> None:
        """Until nothing is being written to its record, as what is removed may be used again."""
        for write in self._writes:
            await write

    async def _forget(self) -> None:
        """There is nothing to tell."""
        self._site.clearing.add(await self.come_to_rest())

    # -- start ---------------------------------------------------------------------------------

    async def _start(self) -> Deferred[int]:
        """Record and open the log, both at once, then start; fires with the end, a wait status.

        In trouble one after the other: each frame that is refused then would rotate a log away.
        Raises CouldNotStart, NotTaken or NotWanted.
        """
        trusted = not self._site.disk.in_trouble
        recording = Deferred.fromCoroutine(self._record())
        environment = frame_environment(
            self.spec, self._site.environment, self.reservation, self.output.path
        )
        opening = Deferred.fromCoroutine(self._open_log(environment)) if trusted else None
        orders = chain.orders(self._surroundings(), self._files.script, environment)
        try:
            berth = await self._site.disk.launched(recording)
        except (NoBerth, OSError, TooLate) as problem:
            why = self._refusal(problem)
            self.recorded.errback(Unavailable(why))
            recording.addErrback(_no_longer)  # see ``_record``
            self._is_writing(recording)
            if opening is not None:  # the log tells it, too, if it can be had
                await opening.addErrback(lambda _: None)
            raise NotTaken(why) from problem
        self.recorded.callback(None)
        await (opening or Deferred.fromCoroutine(self._open_log(environment)))
        if self._kill is not None:
            raise NotWanted
        return self._order(berth, orders(self.output.target))

    def _refusal(self, problem: Exception) -> str:
        if isinstance(problem, NoBerth):
            return str(problem)
        if isinstance(problem, TooLate):
            self._site.disk.say_silent()
            problem = Exception("it does not answer")
        return f"the state folder can't take the frame: {problem}"

    def _withdraw(self, why: str) -> None:
        """Let the log say why the frame isn't run here, and leave nothing else.

        What the disk of the state folder is to blame for, that says itself, once.
        """
        say = self.log.debug if self._site.disk.refused() else self.log.error
        say("launch refused frame_id={frame_id} reason={why}", frame_id=self.spec.frame_id, why=why)
        self.explanation = why
        self.phase = Phase.ENDED
        end = FrameEnd(COULD_NOT_START, 0, *self._end(), why)
        self._log_whole = self.output.close(texts.footer_of(self, end, (), ()))
        background(self._forget(), self.log, f"forgetting frame_id={self.spec.frame_id}")

    async def _record(self) -> Berth:
        """Find a place and be on disk; raises NoBerth or OSError."""
        berth = await self._site.berths.take()
        if self.phase is Phase.ENDED:  # it took too long, and the launch was refused
            self._site.berths.give_back(berth)
            raise NoBerth("too late")
        self.berth = berth
        await self._site.disk.write(self._create_files, berth)
        return berth

    def _create_files(self, berth: Berth) -> None:
        """In a worker: make what is to be on disk before the frame is."""
        berth.tidy()
        self._files.create(
            self.spec,
            self.reservation,
            berth.whereabouts(),
            shell=self._site.terms.shell,
            identity=self._identity,
            spooled=self._site.terms.timestamps,
            started_at=self.started_at,
            born=self._born,
        )

    async def _open_log(self, environment: dict[str, str]) -> None:
        try:
            await self.output.open(*self.log_terms(environment))
        except LogUnavailable as problem:
            raise CouldNotStart(f"the log can't be opened: {problem.explanation}") from problem

    def log_terms(
        self, environment: dict[str, str]
    ) -> tuple[bytes, tuple[int, int] | None, Callable[[], None]]:
        """The log's header and owner, and what happens when it gets too big."""
        text = texts.header_of(self, self._identity, self._site.environment.name, environment)
        owner = (self._identity.uid, self._identity.gid) if self._identity else None
        return text, owner, partial(self.kill, _TOO_BIG)

    def _order(self, berth: Berth, orders: bytes) -> Deferred[int]:
        assert isinstance(berth.supervisor, Supervisor)
        self.members = berth.members()
        return berth.supervisor.order(orders)

    def _surroundings(self) -> chain.Surroundings:
        terms = self._site.terms
        return chain.Surroundings(
            shell=terms.shell,
            folder=terms.folder,
            umask=terms.umask,
            descriptors=terms.descriptors,
            threads=self.reservation.threads,
            nice=terms.nice,
            identity=self._identity,
        )

    # -- follow --------------------------------------------------------------------------------

    async def _follow(self, running: Deferred[int]) -> Exit:
        """From the start to the exit as it is reported; raises CouldNotStart."""
        assert self.members is not None
        self.phase = Phase.RUNNING
        self.log.info(
            "frame started frame_id={frame_id} name={name} pid={pid} cores={cores}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            name=self.spec.name,
            pid=self.members.supervisor,
            cores=self.spec.num_cores,
        )
        self.output.follow()
        ended = self._unless_by_kernel(from_wait(await running))
        self.phase = Phase.ENDING
        await self._prove_end()
        return await self._judged(ended) if ended.failed else ended

    def _unless_by_kernel(self, ended: Exit) -> Exit:
        """What the kernel ended for want of memory is told so. Asked while the group is there."""
        if self._kill is not None or not self._is_oom_kill(ended):
            return ended
        self._remarks += (texts.killed_by_kernel(self),)
        self.log.warn("{remark} frame_id={id}", remark=self._remarks[-1], id=self.spec.frame_id)
        return ended._replace(signal=OUT_OF_MEMORY)

    def _is_oom_kill(self, ended: Exit) -> bool:
        assert self.members is not None
        if ended.failed and self.members.oom_kills():
            return True
        recently = min(WINDOW, self.run_time)
        return ended.signal == signal.SIGKILL and self._site.oom_kills.stepped(recently)

    def end_what_is_left(self) -> None:
        """The frame is over: what it left behind is ended, and nobody waits for that."""
        if self.members is not None and self.members.pids():
            self._swept = True
            background(self._sweep(), self.log, "leftovers frame_id=" + self.spec.frame_id)

    async def _prove_end(self) -> None:
        """What was killed is over once it is proved to be dead. For others nobody waits."""
        if self._kill is None:
            self._site.reactor.callLater(0, self.end_what_is_left)  # after what the report needs
            return
        await deferLater(self._site.reactor, 0, lambda: None)  # many may have ended in this turn
        assert self.berth is not None and self.members is not None
        if self.berth.group is None:  # there, a look may miss what forks all the time; KILL doesn't
            await self._end_is_written()
            self.members.kill()
            self._swept = True
        if not await self._sweep():
            remark = texts.UNKILLABLE.format(self._site.withholding.processes(self.key))
            self._remarks += (remark,)

    async def _end_is_written(self) -> None:
        """What ends the supervisor would keep the frame's end from a later agent."""
        assert self.berth is not None
        written = self.berth.supervisor.when_written()
        await within(written, END_PATIENCE, reactor=self._site.reactor).addErrback(_no_longer)

    async def _sweep(self) -> bool:
        """End what is left; what can't be killed keeps the berth, and cores that are still held."""
        assert self.berth is not None and self.members is not None
        berth = self.berth
        self._swept = self._swept or bool(self.members.pids())
        await self._end_is_written()
        dead = await self._ladder().sweep()
        if not dead:
            self._site.withholding.hold(self.key, self.spec.name, self.members)
        if self._swept:
            gone = self._site.withholding.gone(self.key)
            gone.addCallback(lambda _: self._discard(berth))
        return dead

    def _discard(self, berth: Berth) -> None:
        self._site.berths.discard(berth)

    def _leave_berth(self) -> None:
        """Let others have the berth, if it is as good as new; if not, it goes with the frame."""
        if self.berth is None or self._swept:
            return
        if self.berth.supervisor.running and self.kept:
            berth, self.berth = self.berth, None
            self._site.berths.give_back(berth)
        else:
            self._site.berths.discard(self.berth)

    async def _judged(self, ended: Exit) -> Exit:
        """What a failure is reported as: the agent's doing, a start that failed, or by a rule.

        Where its account can't be read the frame is taken to have started, as nearly all do.
        """
        if self._kill is not None:
            return self._by_agent(ended)
        assert self.berth is not None
        reading = self._site.disk.run(self.berth.read_chain)
        try:
            account = read_chain(await self._site.disk.soon(reading, END_PATIENCE))
        except (OSError, TooLate):
            reading.addErrback(_no_longer)
            return await self._ruled(ended)
        if not account.started:
            raise CouldNotStart(account.said or "the command's shell never took over")
        return await self._ruled(ended)

    def _by_agent(self, ended: Exit) -> Exit:
        """The end of a frame that was killed: with what the kill puts in its place."""
        kill = self._kill
        assert kill is not None
        return Exit(
            ended.status if kill.status is None else kill.status,
            ended.signal if kill.signal is None else kill.signal,
        )

    async def _ruled(self, ended: Exit) -> Exit:
        """Apply the exit-status rules; a log that hangs is not waited for."""
        terms = self._site.terms
        if not terms.rules or not ended.status:
            return ended
        tail = Deferred.fromCoroutine(self.output.tail(terms.scan_lines))
        try:
            output = await self._site.disk.soon(tail, END_PATIENCE)
        except (OSError, TooLate) as problem:
            tail.addErrback(_no_longer)
            self.log.error(
                "exit-status rules are not applied frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                reason=problem,
            )
            return ended
        match = await self._site.workers.run_for("rules", apply, terms.rules, output, ended.status)
        if match is None:
            return ended
        self._remarks += (
            f"exit status {ended.status} became {match.exit_status} by rule {match.rule.name!r}",
        )
        return ended._replace(status=match.exit_status)

    # -- end -----------------------------------------------------------------------------------

    def kill(self, kill: Kill) -> None:
        """End the frame. The first reason counts; more kills of a dying frame are normal.

        They have an effect again where the ladder has been climbed in vain.
        """
        if self._climbing or self.phase not in (Phase.ACCEPTED, Phase.RUNNING):
            return
        self.log.info(
            "killing frame frame_id={frame_id} reason={reason}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            reason=kill.reason,
        )
        if self.members is not None and self._kill is None:
            self._note(kill)
        self._kill = self._kill or kill
        if self.members is not None:
            background(self._climb(), self.log, "kill frame_id=" + self.spec.frame_id)

    def _note(self, kill: Kill) -> None:
        """Let a later agent go on with it. Nobody waits: a disk that hangs delays no kill."""
        note = KillNote(*kill, at=self._site.reactor.seconds())
        self._write(partial(self._files.write_kill, note), lambda _: None)

    async def _climb(self) -> None:
        assert self.berth is not None
        self._climbing = True
        try:
            if not await self._ladder().climb():
                self.berth.supervisor.give_up()
        finally:
            self._climbing = False

    def _ladder(self) -> Ladder:
        assert self.members is not None
        return Ladder(
            self.members,
            self._grace(),
            running=lambda: self.phase is Phase.RUNNING,
            frame_id=self.spec.frame_id,
            reactor=self._site.reactor,
        )

    def _grace(self) -> Grace:
        grace = self._site.terms.grace
        if self._kill is not None and self._kill.patience is not None:
            grace = grace.shortened(self._kill.patience)
        return grace

    def _end(self) -> tuple[float, float]:
        """When it ended (seconds since the epoch), and after how long; asked at the end."""
        return self._site.time(), self.run_time

    async def _finish(self, ended: Exit) -> bytes:
        """Footer and report; the report waits only so long for a log that hangs."""
        ended_at, run_time = self._end()
        end = FrameEnd(
            exit_status=ended.status,
            exit_signal=ended.signal,
            ended_at=ended_at,
            run_time=run_time,
            reason=self._kill.reason if self._kill else self.explanation,
        )
        beside = self._site.frames() if ended.failed else ()
        footer = texts.footer_of(self, end, self._remarks, beside)
        self._log_whole = self.output.close(footer)  # first, as it takes longest
        report = self._site.compose(self, end)
        logged = within(self._log_whole, END_PATIENCE, reactor=self._site.reactor)
        logged.addErrback(self._log_hangs)
        await gatherResults([logged, self._keep(report, footer)])
        self.phase = Phase.ENDED
        self._say_end(end)
        return report

    def _log_hangs(self, failure: Failure) -> None:
        failure.trap(TooLate)
        self.output.late()

    def _say_end(self, end: FrameEnd) -> None:
        self.log.info(
            "frame ended frame_id={frame_id} name={name} exit_status={status} exit_signal={signal}"
            " run_time={seconds:.3f}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            name=self.spec.name,
            status=end.exit_status,
            signal=end.exit_signal,
            seconds=end.run_time,
        )

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
        over: Deferred[None] = Deferred()
        self._writes.append(over)
        work.addBoth(tell, over)

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


def _no_longer(_: Failure) -> None:
    """It was waited for long enough; it may still come, or fail."""
