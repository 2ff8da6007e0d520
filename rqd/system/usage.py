"""What a frame uses, and the most that it has used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import is_

from rqd.system.processes import ProcessSample


@dataclass(frozen=True, slots=True)
class FrameUsage:
    """Sums over a frame's processes. Memory in KiB; the ``max`` ones never fall."""

    rss: int = 0
    max_rss: int = 0
    pss: int = 0
    max_pss: int = 0
    vsize: int = 0
    max_vsize: int = 0
    swap: int = 0
    pcpu: float = 0.0
    """Cores in use."""
    processes: tuple[ProcessSample, ...] = ()
    gpu: int = 0
    """Memory on GPUs; it and its maximum are added by ``rqd.system.gpuusage``."""
    max_gpu: int = 0
    told: bytes | None = field(default=None, init=False, compare=False, repr=False)
    """What reports say of this, once somebody put it into words; empty where others keep it."""

    def remember(self, told: bytes | None) -> None:
        """Keep what reports say of this: it is no fact of its own, but dear to say again."""
        object.__setattr__(self, "told", told)

    def forget(self) -> None:
        """Others keep what reports say of this."""
        if self.told is not None:
            self.remember(b"")


EMPTY_USAGE = FrameUsage()
"""Of a frame that no pass has seen yet."""


def accumulate(
    previous: FrameUsage, processes: Sequence[ProcessSample], *, seconds: float, now: float
) -> FrameUsage:
    """The usage after one more pass.

    ``seconds`` is the time since ``previous`` was taken (0 if it is ``EMPTY_USAGE``), ``now``
    in seconds since the epoch. No processes mean that none was seen, not that the frame is
    dead: what is known stands. Where nothing has changed it is the same object, too.
    """
    if not processes or _idle(previous, processes):
        return previous
    rss = sum(process.rss for process in processes)
    pss = sum(process.pss for process in processes)
    vsize = sum(process.vsize for process in processes)
    return FrameUsage(
        rss=rss,
        max_rss=max(rss, previous.max_rss),
        pss=pss,
        max_pss=max(pss, previous.max_pss),
        vsize=vsize,
        max_vsize=max(vsize, previous.max_vsize),
        swap=sum(process.swap for process in processes),
        pcpu=_cores_in_use(previous.processes, processes, seconds, now),
        processes=tuple(processes),
    )


def _idle(previous: FrameUsage, processes: Sequence[ProcessSample]) -> bool:
    """Whether nothing happened: each process is the very sample that it was, for long enough."""
    before = previous.processes
    return (
        previous.pcpu == 0.0 and len(before) == len(processes) and all(map(is_, before, processes))
    )


_SHORTEST_LIFE = 1.0
"""Seconds. Start times are known to a second: what seems younger is not."""


def _cores_in_use(
    before: Iterable[ProcessSample], after: Iterable[ProcessSample], seconds: float, now: float
) -> float:
    """CPU time spent since the last pass, by its length; never negative.

    Short-lived children are seen in no pass: their time arrives at once in the parent that
    waits for them. Of that, what was counted while they lived is taken off.
    """
    gone = {_who(process): process for process in before}
    own = reaped = fresh = 0.0
    for process in after:
        known = gone.pop(_who(process), None)
        if known is None:
            fresh += _rate_of_new(process, seconds, now)
        else:
            own += max(0.0, process.cpu_seconds - known.cpu_seconds)
            reaped += max(0.0, process.reaped_seconds - known.reaped_seconds)
    counted = sum(process.cpu_seconds + process.reaped_seconds for process in gone.values())
    spent = own + max(0.0, reaped - counted)
    return fresh + (spent / seconds if seconds > 0 else 0.0)


def _who(process: ProcessSample) -> tuple[int, float]:
    return process.pid, process.started


def _rate_of_new(process: ProcessSample, seconds: float, now: float) -> float:
    """Cores in use by a process that is seen for the first time.

    If it began since the last pass, all its time is of this interval. If it is older (the
    agent was restarted, a pass missed it), its average stands for what nobody measured.
    """
    spent = process.cpu_seconds + process.reaped_seconds
    return spent / max(seconds, now - process.started, _SHORTEST_LIFE)
