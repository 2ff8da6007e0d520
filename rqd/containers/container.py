"""A container as the place of one frame.

Its first process is one of this host's, so its end is seen as any other's is: by its ``pidfd``.
What the engine knows is asked for only where the chain file doesn't tell.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from twisted.internet.defer import Deferred
from zope.interface import implementer

from rqd.containers.freezer import thaw
from rqd.containers.inside import Files
from rqd.containers.interface import Accounts, Facts
from rqd.frame.exits import ChainReport, read_chain
from rqd.frame.members import IMembers, SessionMembers, Signalled
from rqd.frame.patience import tell
from rqd.frame.places import ILeader, IPlace, read_chain_file
from rqd.frame.records import Whereabouts, remove_file
from rqd.frame.survivor import Survivor
from rqd.system import cgroups
from rqd.system.enclosing import enclosing_groups
from rqd.system.identity import identity, this_boot
from rqd.system.sampler import Membership

#: Trees of control groups in which a container may have a group of its own: version 2 first.
_CONTROLLERS = ("", "memory", "pids", "cpu", "cpuset", "freezer")
_PREFIX = "openrqd-"


class Begun(NamedTuple):
    """The first process of a container; ``pid`` 0 where it is over already."""

    pid: int = 0
    start_ticks: int = 0
    group: str = ""


def begun(facts: Facts | None) -> Begun:
    """Look at the first process of a container; reads pseudo-files only."""
    if facts is None or not facts.running:
        return Begun()
    found = identity(facts.pid)
    if found is None:
        return Begun()
    return Begun(facts.pid, found.start_ticks, _group_of(facts))


def _group_of(facts: Facts) -> str:
    """The folder of the control group that is the container's, "" where none is to be seen."""
    for controller in _CONTROLLERS:
        folders = enclosing_groups(controller, membership=f"{facts.pid}/cgroup").folders
        ours = [folder for folder in folders if facts.id in os.path.basename(folder)]
        if ours and facts.pid in cgroups.members(Path(ours[0])):
            return ours[0]
    return ""


@implementer(IMembers)
class ContainerMembers(Signalled):
    """The processes of a container: those of its group, or of the session where that is not seen.

    The first one is the supervisor: when it dies, the kernel ends all others at once.
    """

    def __init__(self, begun: Begun) -> None:
        super().__init__(begun.pid)
        self._begun = begun
        self._procs = cgroups.Procs(Path(begun.group)) if begun.group else None
        self._session = SessionMembers(begun.pid) if begun.pid and not begun.group else None

    def pids(self) -> list[int]:
        if self._procs is not None:
            return [pid for pid in self._procs.pids() if pid != self.supervisor]
        return self._session.pids() if self._session is not None else []

    def membership(self) -> Membership:
        if self._session is not None:
            return self._session.membership()
        return Membership(0, self.pids(), supervisor=self.supervisor)

    def oom_kills(self) -> int:
        """Its account tells."""
        return 0

    def wake(self) -> None:
        """Also from a pause."""
        if self._is_led():
            thaw(self.supervisor)
        super().wake()

    def kill(self) -> None:
        if self._is_led():
            with suppress(ProcessLookupError):
                os.kill(self.supervisor, signal.SIGKILL)
            thaw(self.supervisor)

    def _is_led(self) -> bool:
        found = identity(self.supervisor) if self.supervisor else None
        return found is not None and found.start_ticks == self._begun.start_ticks


@implementer(ILeader)
class Inmate:
    """The first process of a container: not there yet, alive, or gone."""

    def __init__(self) -> None:
        self.pid = 0
        self.running = True
        self.gone: Deferred[int] = Deferred()
        self._survivor: Survivor | None = None

    def lives(self, survivor: Survivor) -> None:
        """It was started."""
        self.pid = survivor.pid
        self._survivor = survivor
        survivor.gone.addCallback(self._over)

    def never(self) -> None:
        """It is not, and won't be."""
        if self.running:
            self._over(0)

    def _over(self, status: int) -> int:
        if self.running:
            self.running = False
            self.gone.callback(status)
        return status

    def when_written(self) -> Deferred[None]:
        """It writes the end before it is gone."""
        written: Deferred[None] = Deferred()
        self.gone.addCallback(tell, written)
        return written

    def dismiss(self) -> None:
        """It ends with its frame."""

    def give_up(self) -> None:
        if self._survivor is not None:
            self._survivor.give_up()
        else:
            self.never()


@implementer(IPlace)
@dataclass(eq=False)
class Container:
    """``begun`` is None until it is known whether, and as what, it runs."""

    name: str
    folder: Path
    supervisor: Inmate = field(default_factory=Inmate)
    group: Path | None = None
    begun: Begun | None = None
    created: bool = False

    @property
    def called(self) -> str:
        """Its name in the engine."""
        return _PREFIX + self.name

    @property
    def chain(self) -> str:
        return self._file("chain")

    def _file(self, kind: str) -> str:
        return f"{self.folder}/{self.name}.{kind}"

    def files(self, command: str, spool: str) -> Files:
        return Files(
            self.chain,
            self._file("permit"),
            command,
            self._file("passwd"),
            self._file("group"),
            spool,
        )

    def members(self) -> IMembers:
        return ContainerMembers(self.begun or Begun())

    def tidy(self) -> None:
        """Whoever the frame runs as writes to its chain; no way but the container leads there."""
        _make(self.chain, b"", 0o666)
        _make(self._file("permit"), b"go\n", 0o644)

    def introduce(self, accounts: Accounts) -> None:
        """In a worker: make its user databases. Raises OSError."""
        _make(self._file("passwd"), accounts.passwd, 0o644)
        _make(self._file("group"), accounts.group, 0o644)

    def revoke(self) -> None:
        """In a worker: what has not begun will not. Raises OSError."""
        with suppress(FileNotFoundError):
            os.truncate(self._file("permit"), 0)

    def whereabouts(self) -> Whereabouts:
        """Its process is not there yet; it is added to the record later."""
        found = self.begun or Begun()
        return Whereabouts(
            self.name, found.pid, found.start_ticks, this_boot(), found.group, container=True
        )

    def read_chain(self) -> bytes | None:
        return read_chain_file(self.chain)

    def remove(self) -> None:
        remove_file(self.chain)

    def remove_all_but_chain(self) -> None:
        """In a worker: what only the container needed."""
        for kind in ("permit", "passwd", "group"):
            remove_file(self._file(kind))


class Account(NamedTuple):
    """What a container's chain file says: ``peak`` in bytes, 0 for unknown."""

    report: ChainReport
    oom_kills: int
    peak: int


def read_account(text: bytes | None) -> Account:
    """Parse a chain file, None for none."""
    report = read_chain(text)
    numbers = {"oom": 0, "peak": 0}
    said = []
    for line in report.said.splitlines():
        word, _, number = line.partition(" ")
        if word in numbers and number.isascii() and number.isdigit():
            numbers[word] = max(numbers[word], int(number[:18]))
        else:
            said.append(line)
    return Account(report._replace(said="\n".join(said)), numbers["oom"], numbers["peak"])


def _make(path: str, text: bytes, mode: int) -> None:
    made = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fchmod(made, mode)
        while text:
            text = text[os.write(made, text) :]
    finally:
        os.close(made)
