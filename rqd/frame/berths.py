"""Places for frames, made ready before any frame is there, and used again and again.

A berth is a chain file, a control group where there are any, and a supervisor that has moved into
that group and waits for orders. Making one takes a few milliseconds, and the move some more (the
kernel waits for an RCU grace period, and meanwhile no process of the host can be made or end): all
that is over before a launch, and happens only when more frames run than ever did.

::

    <snapshots_path>/berths/          0700
        <name>.chain                  what the chain says of itself (rqd.frame.chain)
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.frame.chain import supervisor
from rqd.frame.clearing import Clearing
from rqd.frame.members import GroupMembers, IMembers, SessionMembers, killed_in
from rqd.frame.places import IPlace, IPlaces, place_names, read_chain_file
from rqd.frame.records import Whereabouts, remove_file
from rqd.frame.statedisk import StateDisk
from rqd.frame.supervisor import Supervisor, Supervisors
from rqd.frame.survivor import Survivor
from rqd.system.cgroups import CgroupTree, Procs, remove
from rqd.system.identity import identity, this_boot

#: How many berths wait for frames where nothing happens. Each costs a small shell.
READY = 2
#: How many are made at once at most: the reactor starts them in one go, half a millisecond each.
_AT_ONCE = 4
#: Pauses, seconds: before new ones are made after the last was taken, so that its frame has the
#: processor first; and between looks whether there are too few or too many.
_SOON, _LATER = 0.01, 1.0
_NEW = os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


class NoBerth(Exception):
    """None can be made; the text says why, for people."""


class _Site(NamedTuple):
    """What a supervisor is started in: made in a worker. Who has it closes ``account``."""

    name: str
    chain: str
    account: int
    group: Path | None

    def remove(self) -> None:
        """In a worker: forget its chain file."""
        os.unlink(self.chain)


@implementer(IPlace)
@dataclass(slots=True)
class Berth:
    """A supervisor with all that it has. ``chain`` is the path of its chain file."""

    name: str
    chain: str
    group: Path | None
    supervisor: Supervisor | Survivor
    counts_oom_kills: bool
    used: bool = False
    killed_before: int = 0
    """What the kernel had killed in the group before the frame that runs here now."""
    start_ticks: int = 0
    _whole: int = 0
    """How long the supervisor's own line is, once it was found to be there."""
    _procs: Procs | None = None

    def members(self) -> IMembers:
        """The processes of the frame that runs here now."""
        if self.group is not None:
            self._procs = self._procs or Procs(self.group)
            return GroupMembers(
                self.group,
                self.supervisor.pid,
                procs=self._procs,
                counts_oom_kills=self.counts_oom_kills,
                killed_before=self.killed_before,
            )
        return SessionMembers(self.supervisor.pid)

    def close(self) -> None:
        """Its group is gone."""
        if self._procs is not None:
            self._procs.close()

    def tidy(self) -> None:
        """In a worker: forget what an earlier frame's chain said. Raises OSError.

        The supervisor's own line stays, unless a full disk did not take it whole: what stands in
        its place is an earlier frame's. It is looked at until it was found to be whole.
        """
        if self.used:
            self._whole = self._whole or self._length_of_first_line()
            os.truncate(self.chain, self._whole)

    def _length_of_first_line(self) -> int:
        born = b"born %d\n" % self.supervisor.pid
        with open(self.chain, "rb") as chain:
            return len(born) if chain.read(len(born)) == born else 0

    def whereabouts(self) -> Whereabouts:
        """In a worker: how a later agent finds the frame that is about to run here."""
        if not self.start_ticks:
            found = identity(self.supervisor.pid)
            self.start_ticks = found.start_ticks if found is not None else 0
        if self.group is not None and self.counts_oom_kills:
            self.killed_before = killed_in(self.group)
        return Whereabouts(
            self.name,
            self.supervisor.pid,
            self.start_ticks,
            this_boot(),
            str(self.group or ""),
            self.killed_before,
        )

    def read_chain(self) -> bytes | None:
        """In a worker: what the chain said, None where its file is gone. Raises OSError."""
        return read_chain_file(self.chain)

    def remove(self) -> None:
        """In a worker: forget it; what is gone already is fine."""
        remove_file(self.chain)


@implementer(IPlaces)
class Berths:
    """Keeps a few ready, makes more as they are taken, and takes back what can be used again."""

    def __init__(
        self,
        state: str,
        *,
        reactor: IReactorTime,
        supervisors: Supervisors,
        disk: StateDisk,
        clearing: Clearing,
        groups: CgroupTree | None,
        beside: Sequence[str] = (),
    ) -> None:
        """``beside`` are groups of version 1 that all frames share."""
        self.folder = Path(state, "berths")
        self._reactor = reactor
        self._supervisors = supervisors
        self._disk = disk
        self._clearing = clearing
        self._groups = groups
        self._beside = beside
        self._names = place_names()
        self._ready: list[Berth] = []
        self._waiting: deque[Deferred[Berth]] = deque()
        self._wanted_ready = 0
        self._making = False
        self._timer: IDelayedCall | None = None

    def prepare(self) -> None:
        """Make the folder; raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def start(self) -> None:
        """Make the first ones."""
        self._wanted_ready = READY
        self._make()

    def take(self) -> Deferred[Berth]:
        """A berth, at once if one is ready; fails with NoBerth where none can be made."""
        while self._ready:
            berth = self._ready.pop()
            if berth.supervisor.running:
                self._look_again(_LATER if self._ready else _SOON)
                return succeed(berth)
            self._forget(berth)
        waiting: Deferred[Berth] = Deferred()
        self._waiting.append(waiting)
        self._make()
        return waiting

    def give_back(self, berth: Berth) -> None:
        """Another frame may run in a berth in which nothing runs any more."""
        berth.used = True
        berth.supervisor.when_written().addCallback(self._free, berth)

    def _free(self, _: None, berth: Berth) -> None:
        self._made(berth)
        self._look_again(_LATER)

    def discard(self, berth: Berth) -> Deferred[None]:
        """Nothing will run in a berth again; fires when it is gone.

        Its chain file stays as long as somebody has to learn from it.
        """
        berth.supervisor.dismiss()
        gone: Deferred[None] = Deferred()
        berth.supervisor.gone.addCallback(self._left, berth, gone)
        return gone

    def stop(self) -> Deferred[list[tuple[bool, None]]]:
        """Make no more, and discard those that wait; fires when they are gone."""
        self._wanted_ready = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        ready, self._ready = self._ready, []
        return DeferredList([self._forget(berth) for berth in ready])

    def _look_again(self, pause: float) -> None:
        """See to their number, ``pause`` seconds from now, or sooner if that was planned."""
        if not self._wanted_ready:
            return
        if self._timer is None:
            self._timer = self._reactor.callLater(pause, self._look)
        elif self._timer.getTime() > self._reactor.seconds() + pause:
            self._timer.reset(pause)

    def _look(self) -> None:
        """Make what is missing, or discard half of what is too much: who rested most goes first."""
        self._timer = None
        self._make()
        surplus = len(self._ready) - self._wanted_ready
        if surplus > 0:
            many = (surplus + 1) // 2
            for berth in self._ready[:many]:
                self._forget(berth)
            del self._ready[:many]
            self._look_again(_LATER)

    # -- making ----------------------------------------------------------------------------------

    def _make(self) -> None:
        """Make what is missing, some at a time."""
        missing = len(self._waiting) + self._wanted_ready - len(self._ready)
        if self._making or missing <= 0:
            return
        self._making = True
        sites = self._disk.write(self._make_sites, min(missing, _AT_ONCE))
        sites.addCallbacks(self._made_sites, self._no_sites)

    def _made_sites(self, sites: Sequence[_Site]) -> None:
        self._making = False
        for site in sites:
            try:
                berth = self._open(site)
            except OSError as problem:
                self._made_none(NoBerth(f"the process can't be started: {problem}"))
            else:
                self._made(berth)
        if self._waiting:
            self._make()

    def _no_sites(self, failure: Failure) -> None:
        self._making = False
        problem: BaseException = failure.value  # type: ignore[assignment]
        if isinstance(problem, OSError):
            problem = NoBerth(f"the state folder can't take the frame: {problem}")
        self._made_none(problem)

    def _made_none(self, problem: BaseException) -> None:
        """Who waits is told; if nobody does, the next one who needs a berth finds out."""
        waiting, self._waiting = self._waiting, deque()
        for frame in waiting:
            frame.errback(problem)

    def _made(self, berth: Berth) -> None:
        if self._waiting:
            self._waiting.popleft().callback(berth)
        elif self._wanted_ready:
            self._ready.append(berth)
        else:
            self._forget(berth)

    def _open(self, site: _Site) -> Berth:
        group = site.group
        try:
            arguments = supervisor(str(group or ""), self._beside)
            started = self._supervisors.start(arguments, site.account)
        except OSError:
            self._clearing.add(site)
            if group is not None:
                remove(group)
            raise
        finally:
            os.close(site.account)
        counts = self._groups is not None and self._groups.counts_oom_kills
        return Berth(site.name, site.chain, group, started, counts)

    def _make_sites(self, number: int) -> list[_Site]:
        """In a worker: all of them or, with an OSError or NoBerth, none."""
        sites: list[_Site] = []
        try:
            for name in islice(self._names, number):
                sites.append(self._make_site(name))
        except (OSError, NoBerth):
            for site in sites:
                _undo(site)
            raise
        return sites

    def _make_site(self, name: str) -> _Site:
        chain = f"{self.folder}/{name}.chain"
        account = os.open(chain, _NEW, 0o600)
        try:
            group = self._groups.create(name) if self._groups is not None else None
        except OSError as problem:
            _undo(_Site(name, chain, account, None))
            raise NoBerth(f"its control group can't be made: {problem}") from problem
        return _Site(name, chain, account, group)

    def _forget(self, berth: Berth) -> Deferred[None]:
        """Discard one that no frame is in."""
        self._clearing.add(berth)
        return self.discard(berth)

    def _left(self, status: int, berth: Berth, gone: Deferred[None]) -> int:
        if berth.group is not None and remove(berth.group):
            berth.close()
        gone.callback(None)
        return status


def _undo(site: _Site) -> None:
    """In a worker; a chain file that can't be removed goes when the next agent starts."""
    with suppress(OSError):
        os.close(site.account)
    with suppress(OSError):
        os.unlink(site.chain)
    if site.group is not None:
        remove(site.group)
