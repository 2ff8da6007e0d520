"""From a launch to the order that starts the frame: the place, the record, the log, the orders."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from rqd.background import background
from rqd.frame import chain, texts
from rqd.frame.berths import NoBerth
from rqd.frame.environment import frame_environment
from rqd.frame.exits import COULD_NOT_START, FrameEnd
from rqd.frame.kept import Kept
from rqd.frame.patience import TooLate
from rqd.frame.phases import TOO_BIG, CouldNotStart, Kill, NotTaken, NotWanted, Phase, no_longer
from rqd.frame.places import IPlace
from rqd.frame.supervisor import Supervisor
from rqd.logging.interfaces import LogUnavailable
from rqd.refusals import Unavailable


class Launch(Kept):
    """The beginning of a frame's life."""

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
        orders = self._orders(environment)
        try:
            berth = await self._site.disk.launched(recording)
        except (NoBerth, OSError, TooLate) as problem:
            why = self._refusal(problem)
            self.recorded.errback(Unavailable(why))
            recording.addErrback(no_longer)  # see ``_record``
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

    async def _record(self) -> IPlace:
        """Find a place and be on disk; raises NoBerth or OSError."""
        berth = await self._site.berths.take()
        if self.phase is Phase.ENDED:  # it took too long, and the launch was refused
            self._site.berths.give_back(berth)
            raise NoBerth("too late")
        self.berth = berth
        await self._site.disk.write(self._create_files, berth)
        return berth

    def _create_files(self, berth: IPlace) -> None:
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
        return text, owner, partial(self.kill, TOO_BIG)

    def _orders(self, environment: dict[str, str]) -> Callable[[str], Any]:
        """What makes the order to start, given the path that the output goes to."""
        return chain.orders(self._surroundings(), self._files.script, environment)

    def _order(self, berth: IPlace, orders: Any) -> Deferred[int]:
        """Have it started; fires with its end, a wait status."""
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

    def kill(self, kill: Kill) -> None:
        """End the frame, as soon as that can be."""
        raise NotImplementedError

    async def _forget(self) -> None:
        """There is nothing to tell."""
        raise NotImplementedError
