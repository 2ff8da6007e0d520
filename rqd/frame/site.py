"""What a frame's life needs of the host it runs on, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.interfaces import IReactorTime

from rqd.frame.clearing import Clearing
from rqd.frame.environment import HostEnvironment
from rqd.frame.exits import FrameEnd
from rqd.frame.ladder import Grace
from rqd.frame.places import IPlaces
from rqd.frame.records import Records
from rqd.frame.statedisk import StateDisk
from rqd.frame.withholding import Withholding
from rqd.logging.interfaces import IFrameLogs, IWorkers
from rqd.logging.rules import ExitStatusRule
from rqd.system.oomkills import OomKills
from rqd.system.reservations import Ledger

if TYPE_CHECKING:
    from rqd.frame.lifecycle import Frame


class Terms(NamedTuple):
    """How frames run here: the part of the configuration that their life is ruled by."""

    shell: str
    folder: str
    umask: int
    descriptors: int
    nice: bool
    timestamps: bool
    grace: Grace
    scan_lines: int
    rules: tuple[ExitStatusRule, ...]


class Site(NamedTuple):
    """The seams between a frame's life and the rest of the agent."""

    reactor: IReactorTime
    terms: Terms
    environment: HostEnvironment
    ledger: Ledger
    withholding: Withholding
    records: Records
    disk: StateDisk
    berths: IPlaces
    clearing: Clearing
    workers: IWorkers
    logs: IFrameLogs
    oom_kills: OomKills
    compose: Callable[[Frame, FrameEnd], bytes]
    """Makes the completion report of an ended frame, serialised."""
    frames: Callable[[], Sequence[Frame]]
    """All frames of this host, for the comparison that a failure's footer makes."""
    time: Callable[[], float]
    """The wall clock, seconds since the epoch (durations come from the reactor's clock)."""
    live_as: Callable[..., Frame] | None = None
    """Makes a frame that lives elsewhere than as processes of this host; None for those."""
