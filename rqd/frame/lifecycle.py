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
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, gatherResults
from twisted.python.failure import Failure

from rqd.background import background
from rqd.frame import chain, texts
from rqd.frame.environment import frame_environment
from rqd.frame.exits import COULD_NOT_START, LOG_TOO_BIG, Exit, FrameEnd, from_wait, read_chain
from rqd.frame.ladder import Ladder
from rqd.frame.members import GroupMembers, IMembers, SessionMembers
from rqd.frame.output import Output
from rqd.frame.patience import TooLate, within
from rqd.frame.process import FrameProcess, spawn
from rqd.frame.records import STATE, Opened
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.log import Logger
from rqd.logging.interfaces import LogUnavailable
from rqd.logging.rules import apply
from rqd.system.cgroups import CgroupTree, remove
from rqd.system.reservations import Reservation
from rqd.system.usage import EMPTY_USAGE, FrameUsage

#: How long a completion waits for the rest of a log whose file system hangs, seconds.
END_PATIENCE = 5.0


class Phase(Enum):
    """Where a frame is in its life."""

    ACCEPTED = "accepted"
    RUNNING = "running"
    ENDING = "ending"
    ENDED = "ended"


class CouldNotStart(Exception):
    """The frame never ran; the text explains it to people."""


class NotWanted(Exception):
    """The frame was killed, or its launch abandoned, before its process was started."""


class Kill(NamedTuple):
    """Why the agent ends a frame; ``status`` takes the place of its exit status unless None."""

    reason: str
    status: int | None = None


#: The end of a frame that was killed before it could start.
_ASKED_TO_END = Exit(1, signal.SIGTERM)
_TOO_BIG = Kill("the log grew over its limit (log_max_size)", LOG_TOO_BIG)


class Frame:
    """One launch of one frame.

    ``started_at`` is in seconds since the epoch. ``usage`` is what was last sampled, until the
    first signal. ``explanation`` says why a frame could not be started.
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
        self._process: FrameProcess | None = None
        self._site = site
        self._identity = identity
        self._files = site.records.files(key)
        self.output = Output(f"{spec.log_dir}/{spec.name}.rqlog", self._files, site)
        self._born = site.reactor.seconds()
        self._kill: Kill | None = None
        self._climbing = False
        self._remarks: tuple[str, ...] = ()
        self._log_whole: Deferred[None] | None = None

    @property
    def last_output(self) -> float:
        """When the frame last wrote something; its start before that. Seconds since the epoch."""
        return self.output.last or self.started_at

    def sampled(self, usage: FrameUsage) -> None:
        """Take the newest statistics, but none of a dying frame: they would say nothing."""
        if self.phase is Phase.RUNNING and self._kill is None:
            self.usage = usage

    # -- the life ------------------------------------------------------------------------------

    async def live(self) -> bytes:
        """Run the frame to its end and return its completion report, which is on disk by then."""
        try:
            process = await self._start()
            ended = await self._follow(process)
        except CouldNotStart as problem:
            self.explanation = str(problem)
            self.log.error(
                "frame could not be started frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                reason=self.explanation,
            )
            ended = Exit(COULD_NOT_START) if self._kill is None else self._by_agent(_ASKED_TO_END)
        except NotWanted:
            ended = self._by_agent(_ASKED_TO_END)
        finally:
            self._site.ledger.release(self.key)
        return await self._finish(ended)

    async def forget(self) -> None:
        """Remove what is on disk: Cuebot has the report, and the log, at last, has everything."""
        if self._log_whole is not None:
            await self._log_whole
        self._site.clearing.add(self._files)

    # -- start ---------------------------------------------------------------------------------

    async def _start(self) -> FrameProcess:
        """Record and open the log, both at once, then start; raises CouldNotStart or NotWanted."""
        environment = frame_environment(
            self.spec, self._site.environment, self.reservation, self.output.path
        )
        opening = Deferred.fromCoroutine(self._open_log(environment))
        try:
            opened, group = await self._record()
        except CouldNotStart:
            await opening.addErrback(lambda _: None)  # the log tells it, too, if it can be had
            raise
        try:
            await opening
            return self._spawn(environment, opened, group)
        except BaseException:
            if group is not None:
                remove(group)
            raise
        finally:
            opened.close()

    async def _record(self) -> tuple[Opened, Path | None]:
        """Make what is to be there before the process is: its files and its control group."""
        create = partial(
            self._files.create,
            self.spec,
            self.reservation,
            shell=self._site.terms.shell,
            identity=self._identity,
            spooled=self._site.terms.timestamps,
        )
        try:
            made: tuple[Opened, Path | None] = await self._at_state(
                _make_ready, create, self._site.groups, self.key
            )
        except OSError as problem:
            raise CouldNotStart(f"the state folder can't take the frame: {problem}") from problem
        return made

    async def _open_log(self, environment: dict[str, str]) -> None:
        text = texts.header_of(self, self._identity, self._site.environment.name, environment)
        owner = (self._identity.uid, self._identity.gid) if self._identity else None
        try:
            await self.output.open(text, owner, partial(self.kill, _TOO_BIG))
        except LogUnavailable as problem:
            raise CouldNotStart(f"the log can't be opened: {problem.explanation}") from problem

    def _spawn(
        self, environment: dict[str, str], opened: Opened, group: Path | None
    ) -> FrameProcess:
        if self._kill is not None:
            raise NotWanted
        try:
            links = chain.build(self._surroundings(group), self._files.script, environment)
            with self.output.written_to(opened) as output:
                process = spawn(links, output, opened.chain, reactor=self._site.processes)
        except OSError as problem:
            raise CouldNotStart(f"the process can't be started: {problem}") from problem
        pid = process.pid
        self.members = GroupMembers(group, pid) if group else SessionMembers(pid)
        self._process = process
        return process

    def _surroundings(self, group: Path | None) -> chain.Surroundings:
        terms = self._site.terms
        return chain.Surroundings(
            shell=terms.shell,
            folder=terms.folder,
            umask=terms.umask,
            cgroup=str(group or ""),
            threads=self.reservation.threads,
            nice=terms.nice,
            identity=self._identity,
        )

    # -- follow --------------------------------------------------------------------------------

    async def _follow(self, process: FrameProcess) -> Exit:
        """From the start to the exit as it is reported; raises CouldNotStart."""
        self.phase = Phase.RUNNING
        self.log.info(
            "frame started frame_id={frame_id} name={name} pid={pid} cores={cores}",
            frame_id=self.spec.frame_id,
            name=self.spec.name,
            pid=process.pid,
            cores=self.spec.num_cores,
        )
        self.output.follow()
        ended = from_wait(await process.exited)
        self.phase = Phase.ENDING
        self.end_what_is_left()
        return await self._judged(ended) if ended.failed else ended

    def end_what_is_left(self) -> None:
        """The frame is over: what it left behind is ended, and nobody waits for that."""
        if self.members is not None and not self.members.close():
            background(self._sweep(), self.log, "leftovers frame_id=" + self.spec.frame_id)

    async def _sweep(self) -> None:
        assert self.members is not None
        await self._ladder().sweep()
        self.members.close()

    async def _judged(self, ended: Exit) -> Exit:
        """What a failure is reported as: the agent's doing, a start that failed, or by a rule."""
        if self._kill is not None:
            return self._by_agent(ended)
        account = read_chain(await self._at_state(self._files.read_chain))
        if not account.started:
            raise CouldNotStart(account.said or "the command's shell never took over")
        return await self._ruled(ended)

    def _by_agent(self, ended: Exit) -> Exit:
        """The end of a frame that was killed: with the kill's status where it has one."""
        assert self._kill is not None
        return ended if self._kill.status is None else ended._replace(status=self._kill.status)

    async def _ruled(self, ended: Exit) -> Exit:
        """Apply the exit-status rules; a log that hangs is not waited for."""
        terms = self._site.terms
        if not terms.rules or not ended.status:
            return ended
        tail = Deferred.fromCoroutine(self.output.tail(terms.scan_lines))
        try:
            output = await within(tail, END_PATIENCE, reactor=self._site.reactor)
        except (OSError, TooLate) as problem:
            tail.addErrback(lambda _: None)  # it may still come, or fail: nobody waits any more
            self.log.error(
                "exit-status rules are not applied frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                reason=problem,
            )
            return ended
        match = await self._site.workers.run_for("rules", apply, terms.rules, output, ended.status)
        if match is None:
            return ended
        self._remarks = (
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
            reason=kill.reason,
        )
        self._kill = self._kill or kill
        if self.members is not None:
            background(self._climb(), self.log, "kill frame_id=" + self.spec.frame_id)

    async def _climb(self) -> None:
        self._climbing = True
        try:
            await self._ladder().climb()
        finally:
            self._climbing = False

    def _ladder(self) -> Ladder:
        assert self.members is not None
        return Ladder(
            self.members,
            self._site.terms.grace,
            running=lambda: self._process is not None and self._process.running,
            frame_id=self.spec.frame_id,
            reactor=self._site.reactor,
        )

    async def _finish(self, ended: Exit) -> bytes:
        """Footer and report; the report waits only so long for a log that hangs."""
        end = FrameEnd(
            exit_status=ended.status,
            exit_signal=ended.signal,
            ended_at=self._site.time(),
            run_time=self._site.reactor.seconds() - self._born,
            reason=self._kill.reason if self._kill else self.explanation,
        )
        report = self._site.compose(self, end)
        beside = self._site.frames() if ended.failed else ()
        self._log_whole = self.output.close(texts.footer_of(self, end, self._remarks, beside))
        logged = within(self._log_whole, END_PATIENCE, reactor=self._site.reactor)
        logged.addErrback(self._log_hangs)
        await gatherResults([logged, self._keep(report)])
        self.phase = Phase.ENDED
        self._say_end(end)
        return report

    def _log_hangs(self, failure: Failure) -> None:
        failure.trap(TooLate)
        self.log.warn(
            "log is not whole yet, its file system hangs frame_id={frame_id} path={path}",
            frame_id=self.spec.frame_id,
            path=self.output.path,
        )

    def _say_end(self, end: FrameEnd) -> None:
        self.log.info(
            "frame ended frame_id={frame_id} name={name} exit_status={status} exit_signal={signal}"
            " run_time={seconds:.3f}",
            frame_id=self.spec.frame_id,
            name=self.spec.name,
            status=end.exit_status,
            signal=end.exit_signal,
            seconds=end.run_time,
        )

    def _at_state(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._site.workers.run_for(STATE, function, *args)

    def _keep(self, report: bytes) -> Deferred[Any]:
        kept = self._at_state(self._files.write_report, report)
        return kept.addErrback(
            lambda failure: self.log.error(
                "completion is kept in memory only frame_id={frame_id} reason={why}",
                frame_id=self.spec.frame_id,
                why=failure.value,
            )
        )


def _make_ready(
    create: Callable[[], Opened], groups: CgroupTree | None, key: str
) -> tuple[Opened, Path | None]:
    """In a worker: the files of a frame, and its control group where there are any."""
    opened = create()
    try:
        return opened, groups.create(key) if groups is not None else None
    except OSError:
        opened.close()
        raise
