"""The ledger of cores: who has booked how many points, which cores are pinned, what is locked.

Points are Cuebot's currency: 100 are one core, fractions of a core are fine. Used on the
reactor's thread only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rqd.refusals import AlreadyRunning, InvalidRequest, NotEnough
from rqd.system.topology import Core, Topology

POINTS_PER_CORE = 100


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
    gpus: tuple[str, ...] = ()


class Ledger:
    """Points and cores by key (a launch); nothing is stored that could disagree.

    Free cores and all counts are derived from the reservations, so that a release, in
    whatever order, gives back precisely what was taken.

    Points decide whether a frame fits: Cuebot counts nothing else. Pinning is a favour on
    top. When points are idle and too few whole cores are free (``total`` was overridden to
    more than there is, or an adopted frame sits on them), the frame runs unpinned: to
    refuse it would contradict the report that made Cuebot send it.
    """

    def __init__(self, topology: Topology, *, total: int) -> None:
        self._topology = topology
        self._total = total
        self._locked_wanted = 0
        self._reservations: dict[str, Reservation] = {}

    @property
    def locked_wanted(self) -> int:
        """Points that are to be locked, also those that running frames still hold."""
        return self._locked_wanted

    def reserve(self, key: str, points: int, *, pin: bool) -> Reservation:
        """Book ``points`` for ``key``; with ``pin`` and whole cores, pin them where possible."""
        self._refuse_known(key)
        if points <= 0:
            raise InvalidRequest(f"{points} is not a number of core points: 100 are one core")
        counts = self.counts()
        if points > counts.idle:
            raise NotEnough(_too_few(points, counts))
        threads = self._pick_threads(points) if pin else ()
        reservation = Reservation(points, threads)
        self._reservations[key] = reservation
        return reservation

    def adopt(self, key: str, reservation: Reservation) -> None:
        """Take over what a frame, started by an earlier agent, already holds.

        It runs, so it is never refused for lack of points or because of a lock.
        """
        self._refuse_known(key)
        self._reservations[key] = reservation

    def release(self, key: str) -> None:
        """Give back what ``key`` holds; nothing happens if that is nothing."""
        self._reservations.pop(key, None)

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
        held = sum(reservation.points for reservation in self._reservations.values())
        booked = min(held, self._total)
        locked = min(self._locked_wanted, self._total - booked)
        return CoreCounts(self._total, self._total - booked - locked, locked, booked)

    def _refuse_known(self, key: str) -> None:
        if key in self._reservations:
            raise AlreadyRunning(f"cores are reserved for {key} already")

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
        pinned = {t for held in self._reservations.values() for t in held.threads}
        free: dict[int, list[Core]] = {}
        for core in self._topology.cores:
            if pinned.isdisjoint(core.threads):
                free.setdefault(core.socket, []).append(core)
        return sorted(free.values(), key=len, reverse=True)


def _too_few(points: int, counts: CoreCounts) -> str:
    return (
        f"{points} core points wanted, {counts.idle} idle"
        f" (of {counts.total}: {counts.booked} booked, {counts.locked} locked)"
    )


def _refuse_negative(points: int) -> None:
    if points < 0:
        raise InvalidRequest(f"cannot lock or unlock a negative number of core points ({points})")
