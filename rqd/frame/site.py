"""What a frame's life needs of the host it runs on, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IReactorTime

from rqd.frame.clearing import Clearing
from rqd.frame.environment import HostEnvironment
from rqd.frame.exits import FrameEnd
from rqd.frame.ladder import Grace
from rqd.frame.records import Records
from rqd.frame.spawning import Spawner
from rqd.logging.interfaces import IFrameLogs, IWorkers
from rqd.logging.rules import ExitStatusRule
from rqd.system.cgroups import CgroupTree
from rqd.system.reservations import Ledger

if TYPE_CHECKING:
    from rqd.frame.lifecycle import Frame


class Terms(NamedTuple):
    """How frames run here: the part of the configuration that their life is ruled by."""

    shell: str
    folder: str
    umask: int
    nice: bool
    timestamps: bool
    grace: Grace
    scan_lines: int
    rules: tuple[ExitStatusRule, ...]


class Site(NamedTuple):
    """The seams between a frame's life and the rest of the agent."""

    reactor: IReactorTime
    processes: Spawner
    terms: Terms
    environment: HostEnvironment
    ledger: Ledger
    records: Records
    clearing: Clearing
    workers: IWorkers
    logs: IFrameLogs
    groups: CgroupTree | None
    compose: Callable[[Frame, FrameEnd], bytes]
    """Makes the completion report of an ended frame, serialised."""
    frames: Callable[[], Sequence[Frame]]
    """All frames of this host, for the comparison that a failure's footer makes."""
    time: Callable[[], float]
    """The wall clock, seconds since the epoch (durations come from the reactor's clock)."""
