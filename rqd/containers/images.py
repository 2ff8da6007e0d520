"""Which image a frame gets, and how it comes to this host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rqd.config.settings import DockerSettings
from rqd.containers.interface import AGENT, Accounts, EngineAway, EngineRefused, IEngine
from rqd.containers.watch import PULLS, QUESTIONS
from rqd.frame.patience import TooLate, within
from rqd.log import Logger

#: Seconds between two sentences about a pull.
_PACE = 5.0


def image_for(system: str, images: Mapping[str, str], default: str) -> str:
    """The image for an operating system, whatever its case; raises EngineRefused."""
    for name, image in images.items():
        if name.lower() == system.lower():
            return image
    if default:
        return default
    known = ", ".join(sorted(images)) or "none"
    raise EngineRefused(
        f"there is no image for the operating system {system!r}, and no default one"
        f" (docker_default_image); known are: {known}"
    )


class Progress:
    """What an engine says of a pull, in few sentences; in the thread that pulls."""

    def __init__(
        self,
        image: str,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._image = image
        self._say = say
        self._monotonic = monotonic
        self._layers: dict[str, tuple[int, bool]] = {}
        self._next = monotonic()

    def __call__(self, said: Mapping[str, Any]) -> None:
        layer, status = str(said.get("id", "")), str(said.get("status", ""))
        if "progressDetail" in said or layer in self._layers:
            detail = said.get("progressDetail") or {}
            size = int(detail.get("current") or 0) if status == "Downloading" else 0
            size = max(size, self._layers.get(layer, (0, False))[0])
            self._layers[layer] = (size, status in ("Pull complete", "Already exists"))
        if self._monotonic() >= self._next:
            self._next = self._monotonic() + _PACE
            self._say(self._sentence())

    def _sentence(self) -> str:
        done = sum(over for _, over in self._layers.values())
        mebibytes = sum(size for size, _ in self._layers.values()) / (1 << 20)
        return (
            f"pulling image {self._image}: {done} of {len(self._layers)} layers,"
            f" {mebibytes:.0f} MiB"
        )


class Image(NamedTuple):
    """An image that is on this host."""

    id: str
    accounts: Accounts


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


class Images:
    """Used on the reactor. ``passing`` lends the name of a container that is there for a moment.

    ``agent`` is the label that it gets.
    """

    log = Logger()

    def __init__(
        self,
        by_system: Mapping[str, str],
        default: str,
        settings: DockerSettings,
        agent: str,
        *,
        engine: IEngine,
        ask: Callable[..., Deferred[Any]],
        reactor: IReactorTime,
        from_thread: Callable[..., None],
        passing: Callable[[], AbstractContextManager[str]],
    ) -> None:
        self._by_system = by_system
        self._default = default
        self._settings = settings
        self._agent = agent
        self._engine = engine
        self._ask = ask
        self._reactor = reactor
        self._from_thread = from_thread
        self._passing = passing
        self._accounts: dict[str, Accounts] = {}
        self._pulls: dict[str, _Pull] = {}

    async def show(self) -> None:
        """Tell people which are here."""
        for name in dict.fromkeys([*self._by_system.values(), self._default]):
            if name:
                found = await self._ask(QUESTIONS, self._engine.image_id, name)
                self.log.info(
                    "image name={name} id={id}", name=name, id=found or "not on this host"
                )

    async def get(self, system: str, say: Callable[[str], None]) -> Image:
        """The image for an operating system, once it is on this host.

        ``say`` is told how it comes there, on the reactor. Raises EngineAway or EngineRefused.
        """
        name = image_for(system, self._by_system, self._default)
        policy = self._settings.pull
        found = await self._ask(QUESTIONS, self._engine.image_id, name)
        if policy == "always" or (policy == "missing" and found is None):
            try:
                await self._pull(name, say)
            except EngineRefused as problem:
                if found is None:
                    raise EngineRefused(f"image {name} can't be pulled: {problem}") from problem
                say(f"image {name} can't be pulled, the one that is here is used: {problem}")
            found = await self._ask(QUESTIONS, self._engine.image_id, name)
        if found is None:
            raise EngineRefused(f"image {name} is not on this host (docker.pull is {policy})")
        if found not in self._accounts:
            self._accounts[found] = await self._look_into(found)
        return Image(found, self._accounts[found])

    async def _look_into(self, image: str) -> Accounts:
        """Its user databases, by a container that is made for that."""
        with self._passing() as name:
            look = partial(self._engine.accounts, image, name, {AGENT: self._agent})
            found: Accounts = await self._ask(QUESTIONS, look)
            return found

    async def _pull(self, name: str, say: Callable[[str], None]) -> None:
        waiting: Deferred[None] = Deferred()
        begins = name not in self._pulls
        pull = self._pulls.setdefault(name, _Pull())
        pull.waiting.append(waiting)
        pull.listeners.append(say)
        if begins:
            progress = Progress(name, partial(self._from_thread, pull.say))
            pulling = self._ask(PULLS, self._engine.pull, name, progress)
            pulling.addBoth(self._pulled, name)
        patience = self._settings.pull_timeout
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
