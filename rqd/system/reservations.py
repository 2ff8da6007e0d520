"""The ledger: who has booked how many points, which cores are pinned, which GPUs are taken, what
is locked.

Points are Cuebot's currency: 100 are one core, fractions of a core are fine. Used on the
reactor's thread only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from rqd.refusals import AlreadyRunning, InvalidRequest, NotEnough
from rqd.system.gpus import Gpu
from rqd.system.topology import Core, Topology

POINTS_PER_CORE = 100

T = TypeVar("T")


class CoreCounts(NamedTuple):
    """Where all points are: ``total == idle + locked + booked``, none of them negative."""

    total: int
    idle: int
    locked: int
    booked: int


class Reservation(NamedTuple):
    """What one frame holds. ``threads`` are the logical processors it is pinned to, if any."""

    points: int
    threads: tuple[int, ...] = ()
    gpus: tuple[Gpu, ...] = ()


class Ledger:
    """Points, cores and GPUs by key (a launch).

    Sums are kept beside the reservations, so that a count costs the same whatever runs. A
    release takes off what its reservation put on, so that it gives back, in whatever order,
    precisely what was taken.

    Points decide whether a frame fits: Cuebot counts nothing else. Pinning is a favour on
    top. When points are idle and too few whole cores are free (``total`` was overridden to
    more than there is, or an adopted frame sits on them), the frame runs unpinned: to
    refuse it would contradict the report that made Cuebot send it.

    Locks here are those of points, which Cuebot asks for; they hold for every frame. A NIMBY
    lock is none of them and leaves every count alone: whoever launches asks for it before
    anything is reserved, so a frame that ignores it finds the points that are idle. (Cuebot
    knows of it by ``nimby_locked`` alone. Points that are all locked are a lock by hand there,
    which nobody lifts when the user has gone.)
    """

    def __init__(self, topology: Topology, *, total: int) -> None:
        self._topology = topology
        self._total = total
        self._locked_wanted = 0
        self._reservations: dict[str, Reservation] = {}
        self._held = 0
        self._pinned: Counter[int] = Counter()
        self._gpus: tuple[Gpu, ...] = ()
        self._taken: Counter[str] = Counter()

    @property
    def locked_wanted(self) -> int:
        """Points that are to be locked, also those that running frames still hold."""
        return self._locked_wanted

    def reserve(self, key: str, points: int, *, pin: bool, gpus: int = 0) -> Reservation:
        """Book ``points`` and ``gpus`` for ``key``; with ``pin`` and whole cores, pin them.

        Raises Refused, and then nothing is booked. Cores are pinned where possible, GPUs are
        the frame's alone.
        """
        self._refuse_known(key)
        if points <= 0:
            raise InvalidRequest(f"{points} is not a number of core points: 100 are one core")
        counts = self.counts()
        if points > counts.idle:
            raise NotEnough(_too_few(points, counts))
        devices = self._pick_gpus(gpus)
        threads = self._pick_threads(points) if pin else ()
        reservation = Reservation(points, threads, devices)
        self._book(key, reservation)
        return reservation

    def adopt(self, key: str, reservation: Reservation) -> None:
        """Take over what a frame, started by an earlier agent, already holds.

        It runs, so it is never refused for lack of anything or because of a lock.
        """
        self._refuse_known(key)
        self._book(key, reservation)

    def held_by(self, key: str) -> int:
        """The points that ``key`` holds."""
        reservation = self._reservations.get(key)
        return reservation.points if reservation is not None else 0

    def release(self, key: str) -> None:
        """Give back what ``key`` holds; nothing happens if that is nothing."""
        reservation = self._reservations.pop(key, None)
        if reservation is not None:
            self._held -= reservation.points
            _take_off(self._pinned, reservation.threads)
            _take_off(self._taken, (gpu.uuid for gpu in reservation.gpus))

    def offer_gpus(self, gpus: Iterable[Gpu]) -> None:
        """From now on these GPUs are given out, in this order, once they are free.

        A frame keeps those that it holds, whether they are among them or not.
        """
        self._gpus = tuple(gpus)

    def free_gpus(self) -> list[Gpu]:
        """The GPUs that can be had now."""
        return [gpu for gpu in self._gpus if gpu.uuid not in self._taken]

    def lock(self, points: int) -> None:
        """Lock ``points`` more, at most all. What is booked is locked when it gets free."""
        _refuse_negative(points)
        self._locked_wanted = min(self._total, self._locked_wanted + points)

    def lock_all(self) -> None:
        """Lock every core, those in use when they get free."""
        self._locked_wanted = self._total

    def unlock(self, points: int) -> None:
        """Unlock ``points``, at most as many as are to be locked."""
        _refuse_negative(points)
        self._locked_wanted = max(0, self._locked_wanted - points)

    def unlock_all(self) -> None:
        """Lift every lock."""
        self._locked_wanted = 0

    def counts(self) -> CoreCounts:
        """Where the points are now.

        Adopted frames may hold more than there is (the configuration changed meanwhile):
        booked is then shown as the total, for the sum must hold.
        """
        booked = min(self._held, self._total)
        locked = min(self._locked_wanted, self._total - booked)
        return CoreCounts(self._total, self._total - booked - locked, locked, booked)

    def _refuse_known(self, key: str) -> None:
        if key in self._reservations:
            raise AlreadyRunning(f"cores are reserved for {key} already")

    def _book(self, key: str, reservation: Reservation) -> None:
        self._reservations[key] = reservation
        self._held += reservation.points
        self._pinned.update(reservation.threads)
        self._taken.update(gpu.uuid for gpu in reservation.gpus)

    def _pick_gpus(self, wanted: int) -> tuple[Gpu, ...]:
        """So many free ones; raises NotEnough."""
        if wanted <= 0:
            return ()
        free = self.free_gpus()
        if wanted > len(free):
            raise NotEnough(_too_few_gpus(wanted, len(free), len(self._gpus)))
        return tuple(free[:wanted])

    def _pick_threads(self, points: int) -> tuple[int, ...]:
        """The threads of as many free cores as ``points`` buy, or none if they can't be had."""
        wanted, fraction = divmod(points, POINTS_PER_CORE)
        sockets = self._free_cores_by_socket()
        if fraction or wanted > sum(map(len, sockets)):
            return ()
        picked = [core for cores in sockets for core in cores][:wanted]
        return tuple(sorted(thread for core in picked for thread in core.threads))

    def _free_cores_by_socket(self) -> list[Sequence[Core]]:
        """Unpinned cores of each socket, the most idle socket first.

        Taken from the front, a frame spans no more sockets than it must.
        """
        free: dict[int, list[Core]] = {}
        for core in self._topology.cores:
            if not any(thread in self._pinned for thread in core.threads):
                free.setdefault(core.socket, []).append(core)
        return sorted(free.values(), key=len, reverse=True)


def _too_few(points: int, counts: CoreCounts) -> str:
    return (
        f"{points} core points wanted, {counts.idle} idle"
        f" (of {counts.total}: {counts.booked} booked, {counts.locked} locked)"
    )


def _too_few_gpus(wanted: int, free: int, offered: int) -> str:
    asked = f"{wanted} GPU{'s' * (wanted > 1)} wanted"
    if not offered:
        return f"{asked}, but this host has none to give out"
    return f"{asked}, {free} free (of {offered} that can be given out)"


def _take_off(counter: Counter[T], counted: Iterable[T]) -> None:
    """Undo an ``update``: what is left of nothing is no longer in the counter."""
    for each in counted:
        counter[each] -= 1
        if not counter[each]:
            del counter[each]


def _refuse_negative(points: int) -> None:
    if points < 0:
        raise InvalidRequest(f"cannot lock or unlock a negative number of core points ({points})")
