"""What lives on of frames that an earlier agent had reported: ended, where no frame runs now.

If a frame was killed and something of it lives, that could not be killed before either: it holds
its cores again, and its record stays, until it is gone (``rqd.frame.withholding``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from rqd.background import background
from rqd.frame import leftovers
from rqd.frame.adopted import LeftSession, group_of, left_in, mark_of
from rqd.frame.members import IMembers
from rqd.frame.recall import Recorded
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.log import Logger
from rqd.system import cgroups
from rqd.system.cgroups import CgroupTree

#: What is known of a frame by its key, if that can be had.
Recall = Callable[[str], tuple[Recorded, FrameSpec] | None]


class _Last(NamedTuple):
    """The frame that ran last in a place."""

    started_at: float
    key: str


class Strays:
    """Used once, before anything is served. Thousands of frames may be noted: little is kept."""

    log = Logger()

    def __init__(
        self, site: Site, *, groups: CgroupTree | None, boot_id: str, recall: Recall
    ) -> None:
        self._site = site
        self._tree = groups
        self._boot_id = boot_id
        self._recall = recall
        self._groups: dict[str, _Last] = {}
        self._sessions: dict[int, _Last] = {}

    def note(self, recorded: Recorded) -> None:
        """A frame that was reported ran there."""
        where, this = recorded.where, _Last(recorded.started_at, recorded.key)
        if where.group and not where.container:
            self._groups[where.group] = max(this, self._groups.get(where.group, this))
        elif where.boot_id == self._boot_id and not where.container:
            self._sessions[where.supervisor] = max(this, self._sessions.get(where.supervisor, this))

    def end(self, berths: Collection[str]) -> None:
        """End what lives in groups and sessions that aren't those of ``berths``."""
        groups = set(self._groups)
        if self._tree is not None:
            groups |= {str(group) for group in self._tree.groups()}
        for name in groups:
            group = group_of(name)
            if group is not None and group.name not in berths:
                last = self._groups.get(name)
                self._end(left_in(group), group.name, last and self._recall(last.key), group)
        for pid in leftovers.living_sessions(self._sessions.keys()):
            known = self._recall(self._sessions[pid].key)
            if known is not None and known[0].where.berth not in berths:
                self._end(LeftSession(pid, mark_of(known[1])), f"session {pid}", known, None)

    def _end(
        self,
        members: IMembers,
        name: str,
        known: tuple[Recorded, FrameSpec] | None,
        group: Path | None,
    ) -> None:
        key = name
        if known is not None:
            recorded, spec = known
            key = recorded.key
            if recorded.kill is not None and members.pids():
                self._site.ledger.adopt(key, recorded.reservation)
                self._site.withholding.hold(key, spec.name, members)
        background(self._ended(members, key, name, group), self.log, f"what is left in {name}")

    async def _ended(self, members: IMembers, key: str, name: str, group: Path | None) -> None:
        withholding = self._site.withholding
        dead = await leftovers.end(members, name, reactor=self._site.reactor)
        if not dead and not withholding.holds(key):
            withholding.hold(key, name, members)
        await withholding.gone(key)
        if group is not None:
            cgroups.remove(group)
