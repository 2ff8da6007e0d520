"""The usage of all frames, pass by pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Container, Mapping, Sequence
from typing import NamedTuple, Protocol

from rqd.system.processes import ProcessSample
from rqd.system.usage import EMPTY_USAGE, FrameUsage, accumulate


class Membership(NamedTuple):
    """What tells a frame's processes from all others: its session, or its cgroup's pids."""

    session: int
    """0 where the pids are all there are: then no other process is looked at."""
    pids: Collection[int] = ()
    supervisor: int = 0
    """A member that is the agent's, not the frame's, and does not count."""


class ProcessSource(Protocol):
    """``rqd.system.processes.ProcessReader``, or a fake."""

    def read(
        self, sessions: Mapping[int, str], pids: Mapping[int, str], without: Container[int]
    ) -> Mapping[str, Sequence[ProcessSample]]:
        """The live processes of each key, but those ``without``."""


class _Seen(NamedTuple):
    usage: FrameUsage
    at: float


class Sampler:
    """Turns passes over the processes into usage per frame; who calls ``tick`` sets the pace.

    ``tick`` keeps to files and its own state. Run it in a thread, one at a time: the pss of a
    process of 100 GiB takes a second to read, and the kernel may make the reader wait for a
    process that itself waits for a dead mount.
    """

    def __init__(
        self,
        reader: ProcessSource,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._reader = reader
        self._monotonic = monotonic
        self._wall_clock = wall_clock
        self._seen: dict[str, _Seen] = {}

    def know(self, key: str, usage: FrameUsage) -> None:
        """Go on from what an earlier agent saw of a frame; before the first ``tick``."""
        self._seen[key] = _Seen(usage, self._monotonic())

    def tick(self, groups: Mapping[str, Membership]) -> dict[str, FrameUsage]:
        """One pass for all frames: the usage of each key of ``groups``.

        A frame that this pass missed keeps what was known, one that was never seen has
        ``EMPTY_USAGE``. Frames that are no longer among ``groups`` are forgotten.
        """
        sessions = {group.session: key for key, group in groups.items() if group.session}
        pids = {pid: key for key, group in groups.items() for pid in group.pids}
        at, now = self._monotonic(), self._wall_clock()
        supervisors = {group.supervisor for group in groups.values()}
        found = self._reader.read(sessions, pids, supervisors)
        self._seen = {
            key: self._follow(self._seen.get(key), found.get(key, ()), at, now) for key in groups
        }
        return {key: seen.usage for key, seen in self._seen.items()}

    @staticmethod
    def _follow(
        last: _Seen | None, processes: Sequence[ProcessSample], at: float, now: float
    ) -> _Seen:
        """The interval is that since the frame was last seen, however many passes ago."""
        known = last or _Seen(EMPTY_USAGE, at)
        if not processes:
            return known
        return _Seen(accumulate(known.usage, processes, seconds=at - known.at, now=now), at)
