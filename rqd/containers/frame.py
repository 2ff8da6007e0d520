"""Frames that live in containers: as all frames do (``rqd.frame``), but for how they start.

And for what is known of their end: see ``rqd.containers.ends``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rqd.background import background
from rqd.containers import accounts, inside
from rqd.containers.accounts import Person
from rqd.containers.containers import Containers
from rqd.containers.ends import InContainer
from rqd.containers.images import Image
from rqd.containers.inside import Order
from rqd.containers.interface import EngineAway, EngineRefused
from rqd.containers.members import Begun
from rqd.frame.adopted import AdoptedFrame
from rqd.frame.exits import Exit, read_chain
from rqd.frame.launching import NAMES_PATIENCE
from rqd.frame.lifecycle import Frame
from rqd.frame.members import IMembers
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import CouldNotStart, Kill, NotWanted, Phase
from rqd.frame.places import IPlace
from rqd.frame.recall import Recorded
from rqd.frame.records import write_all
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.logging.mounts import WorkersStopped

T = TypeVar("T")


class ContainedFrame(InContainer, Frame):
    """A frame whose place is a container."""

    _interrupt: Deferred[Any] | None = None

    @property
    def _containers(self) -> Containers:
        return cast(Containers, self._site.berths)

    async def _run(self) -> Exit:
        """From the start to the exit as it is reported."""
        await (await self._start())
        self._say_started()
        if self._kill is not None:
            self._note(self._kill)
            background(self._climb(), self.log, "kill frame_id=" + self.spec.frame_id)
        return await self._to_the_end()

    def _say_started(self) -> None:
        self.phase = Phase.RUNNING
        self.log.info(
            "frame started frame_id={frame_id} name={name} pid={pid} cores={cores}"
            " container={container}",
            frame_id=self.spec.frame_id,
            name=self.spec.name,
            pid=self._container.supervisor.pid,
            cores=self.spec.num_cores,
            container=self._container.called,
        )

    # -- start -----------------------------------------------------------------------------------

    def _orders(self, environment: dict[str, str]) -> Callable[[str], Any]:
        return partial(self._begin, environment)

    def _order(self, berth: IPlace, orders: Any) -> Deferred[int]:
        """Fires once it runs, or ran."""
        return Deferred.fromCoroutine(orders)

    async def _begin(self, environment: dict[str, str], target: str) -> int:
        """Have it started. Raises CouldNotStart or NotWanted, and then it never runs."""
        self.output.follow()  # so that what is said of a pull is there at once
        try:
            image = await self._unless_killed(self._image())
            person = await self._person()
            begun = await self._containers.begin(
                self._container,
                self._make_order(environment, target, image),
                self._introduce(image, person),
                wanted=lambda: self._kill is None,
            )
        except (EngineRefused, OSError) as problem:
            raise CouldNotStart(f"the container can't be started: {problem}") from problem
        except EngineAway as problem:
            begun = await self._in_doubt(problem)
        if begun is None:
            raise NotWanted
        return await self._has_begun(begun)

    def _image(self) -> Deferred[Image]:
        return Deferred.fromCoroutine(self._containers.images.get(self.spec.os, self._say))

    def _say(self, sentence: str) -> None:
        """A line of our own in the frame's log, before its first one."""
        self.log.info("{what} frame_id={id}", what=sentence, id=self.spec.frame_id)
        said = self._site.disk.run(_append, self.output.target, f"openrqd: {sentence}\n")
        said.addErrback(lambda failure: failure.trap(OSError, WorkersStopped) and None)

    async def _person(self) -> Person:
        """Whom the frame is inside; numbers without names where the user database hangs."""
        assert self._identity is not None
        asked = self.spec.user_name
        found = self._site.workers.run_for("names", accounts.find, self._identity, asked)
        try:
            return await within(found, NAMES_PATIENCE, reactor=self._site.reactor)
        except TooLate:
            found.addErrback(lambda _: None)
            return accounts.unknown(self._identity, asked)

    def _introduce(self, image: Image, person: Person) -> Any:
        assert self._identity is not None
        folder = self._site.terms.folder
        home = inside.home_of(person.home, self._containers.terms.mounts, folder)
        return accounts.with_person(image.accounts, person, self._identity, home)

    def _make_order(self, environment: dict[str, str], target: str, image: Image) -> Order:
        assert self._identity is not None
        site, settings = self._site, self._containers.terms.settings
        spooled = target == self._files.spool
        return Order(
            called=self._container.called,
            spec=self.spec,
            reservation=self.reservation,
            identity=self._identity,
            image=image.id,
            labels=inside.labels(self.spec, site.environment.name),
            environment=environment | inside.gpu_environment(self.reservation, settings),
            files=self._container.files(self._files.script, self._files.spool if spooled else ""),
            folder=site.terms.folder,
            folders=(site.terms.folder, self.spec.log_dir),
            umask=site.terms.umask,
            output=inside.OUTPUT if spooled else self.output.path,
        )

    async def _in_doubt(self, problem: EngineAway) -> Begun:
        """The engine doesn't say whether it has started, or will start, the container.

        Where that is not begun by now, it never will: see ``rqd.containers.inside``.
        """
        self.log.warn(
            "engine does not say whether a frame was started frame_id={id} reason={why}",
            id=self.spec.frame_id,
            why=problem,
        )
        if not self._container.created:
            raise CouldNotStart(f"the container can't be started: {problem}") from problem
        await self._site.disk.run(self._container.revoke)
        report = read_chain(await self._site.disk.run(self._container.read_chain))
        if not report.born:
            raise CouldNotStart(f"the container can't be started: {problem}") from problem
        return await self._containers.search(self._container)

    async def _has_begun(self, begun: Begun) -> int:
        """It runs, or did. If it was killed meanwhile, that begins now."""
        self._containers.runs(self._container, begun)
        self.members = self._container.members()
        where = self._container.whereabouts()
        self._write(partial(self._files.write_whereabouts, where), lambda _: None)
        return 0

    async def _unless_killed(self, work: Deferred[T]) -> T:
        """Wait, but for no longer than it is wanted; raises NotWanted."""
        waiting: Deferred[T] = Deferred()
        self._interrupt = waiting
        work.addBoth(_hand_on, waiting)
        try:
            return await waiting
        finally:
            self._interrupt = None

    def kill(self, kill: Kill) -> None:
        super().kill(kill)
        interrupt = self._interrupt
        if interrupt is not None and self._kill is not None and not interrupt.called:
            interrupt.errback(NotWanted())


class AdoptedContainer(InContainer, AdoptedFrame):
    """A frame in a container that an earlier agent started, or was about to."""

    def __init__(
        self,
        recorded: Recorded,
        spec: FrameSpec,
        containers: Containers,
        site: Site,
        *,
        this_boot: bool,
        **facts: Any,
    ) -> None:
        self._found_by = containers
        place = containers.find(recorded.where, this_boot=this_boot)
        site = site._replace(berths=containers)
        super().__init__(recorded, spec, place, site, this_boot=this_boot, **facts)

    @property
    def _containers(self) -> Containers:
        return self._found_by

    def _find_members(self, berth: IPlace, this_boot: bool) -> IMembers:
        return berth.members()


def _hand_on(result: Any, waiting: Deferred[Any]) -> None:
    if not waiting.called:
        waiting.callback(result)  # a Failure takes the way of errors
    elif isinstance(result, Failure):
        result.trap(EngineAway, EngineRefused, WorkersStopped)


def _append(path: str, text: str) -> None:
    """In a worker."""
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        write_all(target, text.encode(errors="replace"))
    finally:
        os.close(target)
