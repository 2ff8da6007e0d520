"""What happens when, by chance and by seed (pure: no time passes here).

Each part has a chance of its own, so that the plan of one doesn't depend on how far another is.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import count
from random import Random
from typing import NamedTuple

from tests.chaos import frames
from tests.chaos.frames import Frame
from tests.chaos.steps import Aim, targets


class Weather(Enum):
    """How Cuebot is."""

    UP = "up"
    DOWN = "down"
    SLOW = "slow"
    ERRORS = "answers errors"
    HANGS = "hangs"


class Spell(NamedTuple):
    """A weather, and for how long (seconds)."""

    weather: Weather
    seconds: float


class Fault(NamedTuple):
    """Something a disk does: ``quiet`` seconds from the last, for ``seconds``.

    ``folder`` is "state", or a log folder; ``what`` is "full", "read-only", or what faultfs is
    told, for "fuse".
    """

    folder: str
    what: str
    quiet: float
    seconds: float


class Life(NamedTuple):
    """How an agent ends: at ``aim``, or ``seconds`` after it serves, if it lives that long.

    An ``orderly`` one is asked to stop.
    """

    aim: Aim | None
    seconds: float
    orderly: bool = False


_WEATHERS = {
    Weather.UP: 10,
    Weather.DOWN: 15,
    Weather.SLOW: 10,
    Weather.ERRORS: 15,
    Weather.HANGS: 10,
}
_DISKS = {
    ("state", "full"): 15,
    ("state", "read-only"): 10,
    ("small", "full"): 20,
    ("small", "read-only"): 15,
    ("fuse", "write ENOSPC"): 8,
    ("fuse", "write EIO"): 8,
    ("fuse", "flush EIO"): 4,
    ("fuse", "* ESTALE"): 6,
    ("fuse", "open EROFS,create EROFS,write EROFS"): 4,
    ("fuse", "* hang"): 5,
    ("fuse", "write hang"): 5,
}


class Schedule:
    """The whole plan of a seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def frames(self) -> Iterator[Frame]:
        """Without end."""
        chance = self._chance("frames")
        for number in count(1):
            yield frames.invent(f"f{number:05d}", chance)

    def weather(self) -> Iterator[Spell]:
        """Without end; good weather comes between."""
        chance = self._chance("weather")
        while True:
            yield Spell(Weather.UP, chance.uniform(1.0, 3.0))
            (weather,) = chance.choices([*_WEATHERS], [*_WEATHERS.values()])
            yield Spell(weather, chance.uniform(0.3, 4.0))

    def faults(self) -> Iterator[Fault]:
        """Without end."""
        chance = self._chance("faults")
        while True:
            ((folder, what),) = chance.choices([*_DISKS], [*_DISKS.values()])
            yield Fault(folder, what, chance.uniform(0.5, 5.0), chance.uniform(0.3, 2.5))

    def lives(self) -> Iterator[Life]:
        """Without end; every step has been aimed at before one is aimed at again."""
        chance = self._chance("lives")
        aims = self._aims(chance)
        while True:
            dice = chance.random()
            if dice < 0.70:
                yield Life(next(aims), chance.uniform(2.0, 5.0))
            else:
                yield Life(None, chance.uniform(0.0, 4.0), orderly=dice > 0.92)

    def _aims(self, chance: Random) -> Iterator[Aim]:
        while True:
            order = [*targets()]
            chance.shuffle(order)
            for step, moment in order:
                yield Aim(step.name, moment, chance.randint(1, step.within))

    def _chance(self, part: str) -> Random:
        return Random(f"{self.seed}/{part}")
