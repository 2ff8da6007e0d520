"""SIGHUP: the configuration is read again, and what can change while the agent runs is changed.

What can't is said to need a restart, which leaves frames alone as well. A configuration that can't
be used changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred

from rqd.background import background
from rqd.config import ConfigurationError, Loaded
from rqd.config.errors import dotted
from rqd.config.keys import leaves
from rqd.config.settings import Settings
from rqd.log import Logger

Effect = Callable[[Settings], object]


class Rereading:
    """``settings`` are those in force: what needs a restart is as it was at the start."""

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Deferred[Loaded]],
        effects: Mapping[str, Effect],
        begins: Callable[[], object],
        ended: Callable[[str], object],
    ) -> None:
        """``effects`` puts the new settings into force, by the key that has changed.

        ``read`` fails with ConfigurationError or OSError. ``begins`` and ``ended`` are told of each
        time, the latter of what is wrong, in words ("" for nothing).
        """
        self.settings = settings
        self._read = read
        self._effects = effects
        self._begins = begins
        self._ended = ended
        self._wanted = False
        self._busy = False

    def begin(self) -> None:
        """Read it; once more after that if this is asked for meanwhile."""
        self._wanted = True
        if not self._busy:
            self._busy = True
            background(self._go(), self.log, "reading the configuration again")

    async def _go(self) -> None:
        try:
            while self._wanted:
                self._wanted = False
                self._begins()
                self._ended(await self._once())
        finally:
            self._busy = False

    async def _once(self) -> str:
        try:
            loaded = await self._read()
        except (ConfigurationError, OSError) as problem:
            problems = getattr(problem, "problems", (str(problem),))
            for each in problems:
                self.log.error("configuration not read again, as it was: {problem}", problem=each)
            return f"the configuration can't be used: {problems[0]}"
        for warning in loaded.warnings:
            self.log.warn("configuration: {sentence}", sentence=warning)
        self._take(loaded.settings)
        return ""

    def _take(self, new: Settings) -> None:
        effects: dict[Effect, None] = {}
        changed = [path for path, _ in leaves(Settings) if _at(new, path) != self._at(path)]
        for path in changed:
            key = dotted(path)
            if effect := self._effects.get(key):
                effects[effect] = None
                self._say("in effect from now on", key, path, new)
                self.settings = _with(self.settings, path, _at(new, path))
            else:
                self._say("takes a restart, frames go on over it", key, path, new)
        for effect in effects:
            effect(self.settings)
        if not changed:
            self.log.info("configuration read again, nothing has changed")

    def _say(self, what: str, key: str, path: tuple[str, ...], new: Settings) -> None:
        self.log.info(
            "configuration: {what} key={key} value={value} was={was}",
            what=what,
            key=key,
            value=_at(new, path),
            was=self._at(path),
        )

    def _at(self, path: tuple[str, ...]) -> Any:
        return _at(self.settings, path)


def _at(settings: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        settings = getattr(settings, name)
    return settings


def _with(settings: Any, path: tuple[str, ...], value: Any) -> Any:
    """The same settings but for one."""
    name, *rest = path
    if rest:
        value = _with(getattr(settings, name), tuple(rest), value)
    return replace(settings, **{name: value})
