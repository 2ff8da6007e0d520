"""A container as the place of one frame.

Its first process is one of this host's, so its end is seen as any other's is: by its ``pidfd``.
What the engine knows is asked for only where the chain file doesn't tell.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from twisted.internet.defer import Deferred
from zope.interface import implementer

from rqd.containers.inside import Files
from rqd.containers.interface import Accounts
from rqd.containers.members import Begun, ContainerMembers
from rqd.frame.members import IMembers
from rqd.frame.patience import after
from rqd.frame.places import ILeader, IPlace, read_chain_file
from rqd.frame.records import Whereabouts, remove_file, write_all
from rqd.frame.survivor import Survivor
from rqd.system.identity import this_boot

#: Of their names in the engine.
_PREFIX = "openrqd-"


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
        return after(self.gone)

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


def _make(path: str, text: bytes, mode: int) -> None:
    made = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fchmod(made, mode)
        write_all(made, text)
    finally:
        os.close(made)
