"""What frames that are over still hold: processes of theirs can't be killed.

A process that hangs in the kernel (D state, mostly in a dead mount) dies of its SIGKILL when it
comes back, and takes memory, GPUs and its place on a core as long as it doesn't. So nobody else
gets what its frame held, people can see why, and all comes back when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from rqd.frame.members import IMembers
from rqd.log import Logger
from rqd.system.procstat import UNREADABLE, parse_stat, read_stat_line
from rqd.system.reservations import Ledger

#: Seconds between two looks at the same frame, and the least between any two: where there are no
#: control groups, each means a look at all processes of the host.
LOOK, _LEAST = 1.0, 0.1
#: How many processes of a frame, and how many characters in all, are told.
_NAMED, _TOLD = 5, 2000


@dataclass(slots=True)
class _Held:
    name: str
    members: IMembers
    processes: str
    waiting: list[Deferred[None]] = field(default_factory=list)


class Withholding:
    """Frames of which something lives on, by key. On the reactor only.

    Their cores are booked in the ledger under the same key, or had been given back before.
    """

    log = Logger()

    def __init__(
        self, ledger: Ledger, *, reactor: IReactorTime, changed: Callable[[], object]
    ) -> None:
        """``changed`` is called whenever there is something new to tell."""
        self._ledger = ledger
        self._reactor = reactor
        self._changed = changed
        self._held: dict[str, _Held] = {}

    def hold(self, key: str, name: str, members: IMembers) -> None:
        """Leave to a frame what it has in the ledger until nothing of it lives."""
        held = self._held[key] = _Held(name, members, _described(members.pids()))
        self.log.warn("withholding {what} key={key}", what=self._told(key, held), key=key)
        if len(self._held) == 1:
            self._reactor.callLater(LOOK, self._look)
        self._changed()

    def holds(self, key: str) -> bool:
        """Whether something is withheld for a frame."""
        return key in self._held

    def processes(self, key: str) -> str:
        """What lives on of a frame, in words."""
        return self._held[key].processes

    def gone(self, key: str) -> Deferred[None]:
        """Fires when nothing of a frame lives; at once where that is so."""
        if key not in self._held:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._held[key].waiting.append(waiting)
        return waiting

    @property
    def reason(self) -> str:
        """What is withheld and for which processes, in words; empty where nothing is."""
        return "; ".join(self._told(key, held) for key, held in self._held.items())[:_TOLD]

    def _told(self, key: str, held: _Held) -> str:
        points = self._ledger.held_by(key)
        return f"{points} core points of {held.name}, can't be killed: {held.processes}"

    def _look(self) -> None:
        """At one of them, in turns."""
        key = next(iter(self._held))
        held = self._held.pop(key)
        if pids := held.members.pids():
            held.processes = _described(pids)
            self._held[key] = held
        else:
            self._let_go(key, held)
        if self._held:
            self._reactor.callLater(max(LOOK / len(self._held), _LEAST), self._look)

    def _let_go(self, key: str, held: _Held) -> None:
        self.log.info(
            "processes that could not be killed are gone, nothing is withheld any more"
            " name={name} cores={cores} key={key}",
            name=held.name,
            cores=self._ledger.held_by(key),
            key=key,
        )
        self._ledger.release(key)
        for waiting in held.waiting:
            waiting.callback(None)
        self._changed()


def _described(pids: list[int]) -> str:
    words = [f"{pid} ({_name(pid)})" for pid in pids[:_NAMED]]
    more = len(pids) - len(words)
    return ", ".join(words) + (f" and {more} more" if more else "")


def _name(pid: int) -> str:
    try:
        stat = parse_stat(read_stat_line(f"/proc/{pid}/stat"))
    except UNREADABLE:
        return "gone"
    return f"{stat.name}, {stat.state}"
