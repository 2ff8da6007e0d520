"""Where frames run: the seam between a frame's life and a process of the host, or a container.

``Berths`` and ``Berth`` are the first, ``rqd.containers`` has the other. A life takes a place, has
it written into its record, orders its frame to be run there, hears of the end, and leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from rqd.frame.members import IMembers
from rqd.frame.records import Whereabouts


class ILeader(Interface):
    """The process that a frame lives and dies with, and that keeps the account of its end."""

    pid: int = Attribute("Its pid, 0 before there is one.")
    running: bool = Attribute("Whether it can still be the frame's.")
    gone: Deferred[int] = Attribute("Fires once it is gone.")

    def when_written() -> Deferred[None]:
        """Fire once an end that it told is in the chain file, too, or it is gone itself."""

    def dismiss() -> None:
        """No frame will run there any more."""

    def give_up() -> None:
        """It hangs in the kernel: it is taken for gone."""


class IPlace(Interface):
    """A place for one frame at a time."""

    name: str = Attribute("What it is called on disk.")
    chain: str = Attribute("The path of its chain file.")
    group: Path | None = Attribute("A group in which one KILL ends all; None where there is none.")
    supervisor: ILeader = Attribute("Its leader.")

    def members() -> IMembers:
        """The processes of the frame that runs here now."""

    def tidy() -> None:
        """In a worker: make ready, and leave nothing of an earlier frame. Raises OSError."""

    def whereabouts() -> Whereabouts:
        """In a worker: how a later agent finds the frame that is about to run here."""

    def read_chain() -> bytes | None:
        """In a worker: what the chain said, None where its file is gone. Raises OSError."""

    def remove() -> None:
        """In a worker: forget the chain file; what is gone already is fine."""


class IPlaces(Interface):
    """Makes places and takes them back, its own alone; on the reactor."""

    folder: Path = Attribute("Where their chain files are.")

    def prepare() -> None:
        """Make the folder; raises OSError."""

    def take() -> Deferred[Any]:
        """A place; fails with NoBerth where none can be had, and a sentence for people."""

    def give_back(place: Any) -> None:
        """Nothing runs there any more, and its end is on disk: another frame may."""

    def discard(place: Any) -> Deferred[None]:
        """Nothing will run there again; fires when it is gone. Its chain file stays."""


def place_names() -> Iterator[str]:
    """What places of one agent are called on disk: no two alike, none of another agent's."""
    return (f"{os.urandom(6).hex()}-{number:x}" for number in count())


def read_chain_file(path: str) -> bytes | None:
    """In a worker: see ``IPlace.read_chain``."""
    try:
        with open(path, "rb") as chain:
            return chain.read(64 << 10)
    except FileNotFoundError:
        return None
