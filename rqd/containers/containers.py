"""All containers of an agent: made, found again, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.background import background
from rqd.config.settings import DockerMount, DockerSettings
from rqd.containers.container import Container
from rqd.containers.images import Images
from rqd.containers.inside import Order, body
from rqd.containers.interface import AGENT, PLACE, Accounts, EngineAway, EngineRefused, IEngine
from rqd.containers.members import Begun, begun, search
from rqd.containers.watch import QUESTIONS, STARTS, EngineWatch
from rqd.frame.berths import NoBerth
from rqd.frame.exits import read_chain
from rqd.frame.places import IPlaces, place_names
from rqd.frame.records import Whereabouts
from rqd.frame.statedisk import StateDisk
from rqd.frame.survivor import Survivor
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.logging.mounts import WorkersStopped


class Terms(NamedTuple):
    """The part of the configuration that containers are ruled by; ``agent`` is their label."""

    settings: DockerSettings
    images: Mapping[str, str]
    default_image: str
    mounts: Sequence[DockerMount]
    agent: str


@implementer(IPlaces)
class Containers:
    """Used on the reactor. ``changed`` is called when it becomes known how the engine is."""

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
        proc_root: str = "/proc",
    ) -> None:
        self.folder = Path(state, "containers")
        self.terms = terms
        self._engine = engine
        self._reactor = reactor
        self._watching = watching
        self._workers = workers
        self._disk = disk
        self._proc_root = proc_root
        interval = terms.settings.retry_interval
        self._watch = EngineWatch(
            engine, interval, reactor=reactor, workers=workers, changed=changed, back=self._is_back
        )
        self.images = Images(
            terms.images,
            terms.default_image,
            terms.settings,
            terms.agent,
            engine=engine,
            ask=self._watch.ask,
            reactor=reactor,
            from_thread=from_thread,
            passing=self._passing,
        )
        self._names = place_names()
        self._live: dict[str, Container] = {}
        self._stuck: dict[str, Container] = {}
        """Those that are to be removed and could not be yet."""
        self._shown = False
        self._late: IDelayedCall | None = None

    @property
    def away(self) -> str:
        """Why the engine can't be asked; empty while it can."""
        return self._watch.away

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self) -> None:
        """Ask the engine how it is, and remove what earlier agents left; once frames are found."""
        self._disk.run(self._remove_files, set(self._live)).addErrback(lambda _: None)
        self._watch.look()

    def stop(self) -> None:
        """Ask no more."""
        self._watch.stop()
        if self._late is not None:
            self._late.cancel()
            self._late = None

    # -- leftovers -------------------------------------------------------------------------------

    def _remove_files(self, live: set[str]) -> None:
        """In a worker: those of no frame. A chain file is needed no more once the end is known."""
        for path in self.folder.iterdir():
            if path.name.partition(".")[0] not in live:
                path.unlink(missing_ok=True)

    def _is_back(self) -> None:
        background(self._look_through(), self.log, "looking through containers")
        self._sweep_later()

    def _sweep_later(self) -> None:
        """What was asked of an engine before it, or who asked, died may be done late.

        It has been by the time that any call must have been answered.
        """
        if self._late is None:
            self._late = self._reactor.callLater(self.terms.settings.timeout, self._sweep_again)

    def _sweep_again(self) -> None:
        self._late = None
        background(self._look_through(), self.log, "looking through containers")

    async def _look_through(self) -> None:
        try:
            await self._sweep()
            if not self._shown:
                self._shown = True
                await self.images.show()
        except (EngineAway, EngineRefused) as problem:
            self.log.warn("containers could not be looked through reason={why}", why=problem)
        except WorkersStopped:
            return

    async def _sweep(self) -> None:
        """Remove what carries our label and is no frame's."""
        self._discard_stuck()
        ours = await self._watch.ask(QUESTIONS, self._engine.ours, self.terms.agent)
        live = {container.called for container in self._live.values()}
        for name in ours:
            if name not in live:
                self.log.info("removing a container of no frame name={name}", name=name)
                await self._watch.ask(QUESTIONS, self._engine.remove, name)

    @contextmanager
    def _passing(self) -> Iterator[str]:
        """The name of a container of ours that is no frame's, and that no sweep may remove yet."""
        container = Container(next(self._names), self.folder)
        self._live[container.name] = container
        try:
            yield container.called
        finally:
            del self._live[container.name]

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
            known = Begun(where.supervisor, where.start_ticks, where.group)
            self.runs(container, known if this_boot else Begun())
            return container
        container.revoke()
        report = read_chain(container.read_chain())
        runs = this_boot and report.born and report.exit is None
        found = search(container.called, self._proc_root) if runs else Begun()
        self.runs(container, found)
        return container

    def runs(self, container: Container, begun: Begun) -> None:
        """It is known as what a container runs, if it does."""
        container.begun = begun
        if not begun.pid:
            container.supervisor.never()
            return
        survivor = Survivor(
            container.whereabouts(),
            container.chain,
            reactor=self._watching,
            clock=self._reactor,
            proc_root=self._proc_root,
        )
        container.supervisor.lives(survivor)

    def give_back(self, container: Container) -> None:
        """No container is used twice."""
        self.discard(container)

    def discard(self, container: Container) -> Deferred[None]:
        """Fires once it is removed, or is known to be removed later only."""
        container.supervisor.never()
        removed = (
            self._watch.ask(QUESTIONS, self._engine.remove, container.called)
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
        if self._watch.answers:
            self._reactor.callLater(self.terms.settings.retry_interval, self._try_again)

    def _try_again(self) -> None:
        if self._watch.answers:
            self._discard_stuck()

    def _discard_stuck(self) -> None:
        stuck, self._stuck = self._stuck, {}
        for container in stuck.values():
            self.discard(container)

    # -- starting --------------------------------------------------------------------------------

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
        starting = self._watch.ask(STARTS, self._begin, container, made, accounts, wanted)
        return starting.addErrback(self._not_begun)

    def _not_begun(self, failure: Failure) -> Failure:
        if failure.check(EngineAway):
            self._sweep_later()
        return failure

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
        return begun(facts.pid, self._proc_root) if facts is not None else Begun()

    def search(self, container: Container) -> Deferred[Begun]:
        """As what it runs, if it does, whether the engine knows or not."""
        return self._workers.run_for("containers", search, container.called, self._proc_root)

    def witness(self, container: Container) -> Deferred[Any]:
        """What the engine knows of a container that is over: Facts, or None."""
        return self._watch.ask(QUESTIONS, self._engine.look, container.called)
