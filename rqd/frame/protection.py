"""Memory protection: frames that use more than they were booked with end before the host does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rqd.frame.exits import OUT_OF_MEMORY
from rqd.frame.phases import Kill
from rqd.frame.texts import gib
from rqd.log import Logger
from rqd.system.memory import MemorySample
from rqd.system.victims import Pressure, Tenant, choose

if TYPE_CHECKING:
    from rqd.frame.lifecycle import Frame

GRACE = 3.0
"""Seconds from TERM to KILL: memory that runs out does not wait for 30 s."""
PATIENCE = 15.0
"""How long the memory of a dying frame counts as good as free, seconds."""


class MemoryProtection:
    """Looks at the host's memory after each sampling, and ends the worst frames if it is short.

    On the reactor. ``margin`` is in percent of the host's memory; 0 and 100 switch it off.
    """

    log = Logger()

    def __init__(
        self,
        margin: float,
        *,
        memory: Callable[[], MemorySample],
        frames: Callable[[], Sequence[Frame]],
        monotonic: Callable[[], float],
    ) -> None:
        self.margin = margin
        self._memory = memory
        self._frames = frames
        self._monotonic = monotonic
        self._dying: dict[str, float] = {}
        """Since when, by key."""
        self._said = False

    def look(self) -> None:
        """End whom it takes; raises OSError where the host's memory can't be read."""
        if not 0 < self.margin < 100:
            return
        frames = self._frames()
        self._note_dying(frames)
        memory = self._memory()
        pressure = Pressure(memory.total, memory.total - memory.free, self.margin)
        if pressure.short:
            self._relieve(pressure, frames)
        else:
            self._said = False

    def _note_dying(self, frames: Sequence[Frame]) -> None:
        now = self._monotonic()
        self._dying = {f.key: self._dying.get(f.key, now) for f in frames if f.dying}

    def _relieve(self, pressure: Pressure, frames: Sequence[Frame]) -> None:
        living = {frame.key: frame for frame in frames if not frame.dying}
        to_free = pressure.to_free - self._on_its_way(frames)
        victims = choose(map(_tenant, living.values()), to_free)
        for victim in victims:
            self._dying[victim.key] = self._monotonic()
            living[victim.key].kill(
                Kill(reason(pressure, victim), signal=OUT_OF_MEMORY, patience=GRACE)
            )
        if to_free > 0 and not victims and not self._said:
            self._said = True
            self.log.warn(
                "memory is short, and no frame is over its limit used={used:.1f}% margin={margin}%",
                used=pressure.percent,
                margin=self.margin,
            )

    def _on_its_way(self, frames: Sequence[Frame]) -> int:
        """Memory of frames that are ending, unless they have been at it for suspiciously long."""
        soon = self._monotonic() - PATIENCE
        return sum(f.usage.pss for f in frames if self._dying.get(f.key, soon) > soon)


def _tenant(frame: Frame) -> Tenant:
    """The limit is the soft one; the hard one where it is the only one."""
    spec, usage = frame.spec, frame.usage
    limit = max(0, spec.soft_memory_limit) or max(0, spec.hard_memory_limit)
    return Tenant(frame.key, usage.pss, usage.swap, limit, frame.run_time)


def reason(pressure: Pressure, victim: Tenant) -> str:
    """What the frame's log and the agent's say of it, with figures."""
    swapped = f" and {gib(victim.swap)} of swap" if victim.swap else ""
    return (
        f"the host ran out of memory: {pressure.percent:.1f} % of {gib(pressure.total)} used, the"
        f" margin is {pressure.margin:g} % (memory_oom_margin_percentage); this frame used"
        f" {gib(victim.pss)}{swapped}, {gib(victim.excess)} over its limit of {gib(victim.limit)}"
    )
