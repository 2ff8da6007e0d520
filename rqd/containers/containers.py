"""All containers of an agent: made, found again, removed; and how its engine is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.background import background
from rqd.config.settings import DockerMount, DockerSettings
from rqd.containers.container import Begun, Container, begun
from rqd.containers.images import Progress, image_for
from rqd.containers.inside import Order, body
from rqd.containers.interface import AGENT, PLACE, Accounts, EngineAway, EngineRefused, IEngine
from rqd.frame.berths import NoBerth
from rqd.frame.patience import TooLate, within
from rqd.frame.places import IPlaces, place_names
from rqd.frame.records import Whereabouts
from rqd.frame.statedisk import StateDisk
from rqd.frame.survivor import Survivor
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped

T = TypeVar("T")

#: What the threads that ask the engine are for; each purpose has two at most. Starts may hang in
#: dead mounts and pulls take long: neither holds up what is asked of containers that are there.
_STARTS, _PULLS, _QUESTIONS = "engine starts", "engine pulls", "engine"


class Image(NamedTuple):
    """An image that is on this host."""

    id: str
    accounts: Accounts


class Terms(NamedTuple):
    """The part of the configuration that containers are ruled by; ``agent`` is their label."""

    settings: DockerSettings
    images: Mapping[str, str]
    default_image: str
    mounts: Sequence[DockerMount]
    agent: str


class _Pull:
    """One for all frames that wait for the image."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[None]] = []
        self.listeners: list[Callable[[str], None]] = []

    def say(self, sentence: str) -> None:
        for listener in self.listeners:
            listener(sentence)

    def over(self, result: Failure | None) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(result)


@implementer(IPlaces)
class Containers:
    """Used on the reactor. ``away`` says why the engine can't be asked; empty while it can.

    ``changed`` is called when that changes.
    """

    log = Logger()

    def __init__(
        self,
        state: str,
        terms: Terms,
        *,
        engine: IEngine,
        reactor: IReactorTime,
        watching: IReactorFDSet,
        from_thread: Callable[..., None],
        workers: IWorkers,
        disk: StateDisk,
        changed: Callable[[], object],
    ) -> None:
        self.folder = Path(state, "containers")
        self.terms = terms
        self.away = "the container engine has not answered yet"
        self._engine = engine
        self._reactor = reactor
        self._watching = watching
        self._from_thread = from_thread
        self._workers = workers
        self._disk = disk
        self._changed = changed
        self._names = place_names()
        self._live: dict[str, Container] = {}
        self._stuck: dict[str, Container] = {}
        """Those that are to be removed and could not be yet."""
        self._accounts: dict[str, Accounts] = {}
        self._pulls: dict[str, _Pull] = {}
        self._looking = False
        self._timer: IDelayedCall | None = None
        self._stopped = False
        self._swept = self._said = False
        self._known: list[Deferred[None]] = []

    # -- the engine ------------------------------------------------------------------------------

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self) -> None:
        """Ask the engine how it is, and remove what earlier agents left; once frames are found."""
        self._disk.run(self._remove_files, set(self._live)).addErrback(lambda _: None)
        self._look()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _remove_files(self, live: set[str]) -> None:
        """In a worker: those of no frame. A chain file is needed no more once the end is known."""
        for path in self.folder.iterdir():
            if path.name.partition(".")[0] not in live:
                path.unlink(missing_ok=True)

    def _look(self) -> None:
        self._timer = None
        if not self._looking and not self._stopped:
            self._looking = True
            asking = self._workers.run_for(_QUESTIONS, self._engine.version)
            asking.addCallbacks(self._answers, self._is_away).addErrback(_stops)

    def _answers(self, version: str) -> None:
        self._looking = False
        if self.away:
            self.log.info("container engine answers version={version}", version=version)
            self.away, self._said = "", False
            self._changed()
            background(self._after_absence(), self.log, "containers after the engine's absence")

    def _is_away(self, failure: Failure) -> None:
        failure.trap(EngineAway, EngineRefused)
        self._looking = False
        self.away = f"the container engine does not answer: {failure.value}"
        if not self._said:
            self._said = True
            self.log.error("{reason}; frames are refused until it does", reason=self.away)
            self._changed()
        self._look_later()

    def _look_later(self) -> None:
        if self._timer is None and not self._stopped:
            self._timer = self._reactor.callLater(self.terms.settings.retry_interval, self._look)

    def ask(self, purpose: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Ask the engine; fails with EngineAway or EngineRefused. Trouble makes it be watched."""
        return self._workers.run_for(purpose, function, *args).addErrback(self._noticed)

    def _noticed(self, failure: Failure) -> Failure:
        if failure.check(EngineAway) and not self.away:
            self._look()
        return failure

    async def _after_absence(self) -> None:
        known, self._known = self._known, []
        for waiting in known:
            waiting.callback(None)
        try:
            await self._sweep()
            if not self._swept:
                self._swept = True
                await self._show_images()
        except (EngineAway, EngineRefused) as problem:
            self.log.warn("containers could not be looked through reason={why}", why=problem)
        except WorkersStopped:
            return

    async def _sweep(self) -> None:
        """Remove what carries our label and is no frame's."""
        stuck, self._stuck = self._stuck, {}
        for container in stuck.values():
            self.discard(container)
        for name in await self.ask(_QUESTIONS, self._engine.ours, self.terms.agent):
            if name not in {container.called for container in self._live.values()}:
                self.log.info("removing a container of no frame name={name}", name=name)
                await self.ask(_QUESTIONS, self._engine.remove, name)

    async def _show_images(self) -> None:
        terms = self.terms
        for name in dict.fromkeys([*terms.images.values(), terms.default_image]):
            if name:
                found = await self.ask(_QUESTIONS, self._engine.image_id, name)
                self.log.info(
                    "image name={name} id={id}", name=name, id=found or "not on this host"
                )

    # -- places ----------------------------------------------------------------------------------

    def take(self) -> Deferred[Container]:
        if self.away:
            return fail(NoBerth(self.away))
        container = Container(next(self._names), self.folder)
        self._live[container.name] = container
        return succeed(container)

    def find(self, where: Whereabouts, *, this_boot: bool) -> Container:
        """The place of a frame that an earlier agent started. Reads its chain file.

        What that agent can't have known, whether a container was started at last, is settled now.
        """
        container = Container(where.berth, self.folder, created=True)
        self._live[container.name] = container
        if where.supervisor:
            self._runs(container, Begun(where.supervisor, where.start_ticks, where.group), where)
            return container
        container.revoke()
        text = container.read_chain() or b""
        if not this_boot or not text.startswith(b"born ") or b"\nexit " in text:
            self._runs(container, Begun(), where)
        return container

    def runs(self, container: Container, begun: Begun) -> None:
        """It is known as what a container runs, if it does."""
        self._runs(container, begun, container.whereabouts())

    def _runs(self, container: Container, begun: Begun, where: Whereabouts) -> None:
        container.begun = begun
        if not begun.pid:
            container.supervisor.never()
            return
        where = where._replace(
            supervisor=begun.pid, start_ticks=begun.start_ticks, group=begun.group
        )
        survivor = Survivor(where, container.chain, reactor=self._watching, clock=self._reactor)
        container.supervisor.lives(survivor)

    def give_back(self, container: Container) -> None:
        """No container is used twice."""
        self.discard(container)

    def discard(self, container: Container) -> Deferred[None]:
        """Fires once it is removed, or is known to be removed later only."""
        container.supervisor.never()
        removed = (
            self.ask(_QUESTIONS, self._engine.remove, container.called)
            if container.created
            else succeed(None)
        )
        removed.addCallback(lambda _: self._disk.run(container.remove_all_but_chain))
        return removed.addCallbacks(
            self._removed, self._not_removed, callbackArgs=(container,), errbackArgs=(container,)
        )

    def _removed(self, _: None, container: Container) -> None:
        self._live.pop(container.name, None)

    def _not_removed(self, failure: Failure, container: Container) -> None:
        """It is tried again when the engine is looked at next; nobody else gets its name."""
        if failure.check(WorkersStopped):
            return
        self._stuck[container.name] = container
        self.log.warn(
            "container stays for now name={name} reason={why}",
            name=container.called,
            why=failure.value,
        )
        if not self.away and not self._stopped:
            self._reactor.callLater(self.terms.settings.retry_interval, self._try_again)

    def _try_again(self) -> None:
        if self.away or self._stopped:
            return
        stuck, self._stuck = self._stuck, {}
        for container in stuck.values():
            self.discard(container)

    # -- starting --------------------------------------------------------------------------------

    async def image(self, system: str, say: Callable[[str], None]) -> Image:
        """The image for an operating system, once it is on this host.

        ``say`` is told how it comes there, on the reactor. Raises EngineAway or EngineRefused.
        """
        name = image_for(system, self.terms.images, self.terms.default_image)
        policy = self.terms.settings.pull
        found = await self.ask(_QUESTIONS, self._engine.image_id, name)
        if policy == "always" or (policy == "missing" and found is None):
            try:
                await self._pull(name, say)
            except EngineRefused as problem:
                if found is None:
                    raise EngineRefused(f"image {name} can't be pulled: {problem}") from problem
                say(f"image {name} can't be pulled, the one that is here is used: {problem}")
            found = await self.ask(_QUESTIONS, self._engine.image_id, name)
        if found is None:
            raise EngineRefused(f"image {name} is not on this host (docker.pull is {policy})")
        if found not in self._accounts:
            self._accounts[found] = await self._look_into(found)
        return Image(found, self._accounts[found])

    async def _look_into(self, image: str) -> Accounts:
        """Its user databases. The container for that is one of ours, so no sweep may remove it."""
        container = Container(next(self._names), self.folder)
        self._live[container.name] = container
        labels = {AGENT: self.terms.agent}
        try:
            look = partial(self._engine.accounts, image, container.called, labels)
            return await self.ask(_QUESTIONS, look)
        finally:
            del self._live[container.name]

    async def _pull(self, name: str, say: Callable[[str], None]) -> None:
        waiting: Deferred[None] = Deferred()
        begins = name not in self._pulls
        pull = self._pulls.setdefault(name, _Pull())
        pull.waiting.append(waiting)
        pull.listeners.append(say)
        if begins:
            progress = Progress(name, partial(self._from_thread, pull.say))
            pulling = self.ask(_PULLS, self._engine.pull, name, progress)
            pulling.addBoth(self._pulled, name)
        patience = self.terms.settings.pull_timeout
        try:
            await within(waiting, patience, reactor=self._reactor)
        except TooLate:
            waiting.addErrback(lambda _: None)
            raise EngineRefused(f"it was not there after {patience:.0f} s") from None
        except EngineAway as problem:
            raise EngineRefused(str(problem)) from problem
        finally:
            pull.listeners.remove(say)

    def _pulled(self, result: Failure | None, name: str) -> None:
        self._pulls.pop(name).over(result)

    def begin(
        self,
        container: Container,
        order: Order,
        accounts: Accounts,
        wanted: Callable[[], bool],
    ) -> Deferred[Begun | None]:
        """Make the container and start it; None if it isn't ``wanted`` any more by then.

        ``wanted`` is asked in the thread that does it. Fails with EngineAway, and then it may be
        started still; with EngineRefused; with OSError.
        """
        container.created = True
        labels = {**order.labels, AGENT: self.terms.agent, PLACE: container.name}
        made = body(order._replace(labels=labels), self.terms.settings, self.terms.mounts)
        return self.ask(_STARTS, self._begin, container, made, accounts, wanted)

    def _begin(
        self,
        container: Container,
        made: Mapping[str, Any],
        accounts: Accounts,
        wanted: Callable[[], bool],
    ) -> Begun | None:
        """In a worker."""
        if not wanted():
            return None
        container.introduce(accounts)
        self._engine.create(container.called, made)
        if not wanted():
            return None
        self._engine.start(container.called)
        facts = self._engine.look(container.called)
        return begun(facts)

    async def look_for(self, container: Container) -> Begun:
        """As what it runs, if it does, once the engine can tell."""
        while True:
            try:
                facts = await self.ask(_QUESTIONS, self._engine.look, container.called)
                return begun(facts)
            except (EngineAway, EngineRefused):
                await deferLater(self._reactor, self.terms.settings.retry_interval, lambda: None)

    def witness(self, container: Container) -> Deferred[Any]:
        """What the engine knows of a container that is over: Facts, or None."""
        return self.ask(_QUESTIONS, self._engine.look, container.called)


def _stops(failure: Failure) -> None:
    failure.trap(WorkersStopped)
