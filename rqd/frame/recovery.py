"""The start of an agent on a host on which another was: its frames are found again.

Blocks on the state folder, as all of the start does: an agent that can't read it can't serve, and
one that hangs there must be seen to hang. Afterwards each record is either a frame that runs and is
known to the roster, or an end that is being reported, or set aside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Sequence
from contextlib import suppress
from typing import NamedTuple

from twisted.internet.interfaces import IReactorFDSet

from rqd.background import background
from rqd.frame import leftovers, recall
from rqd.frame.adopted import AdoptedFrame, group_of
from rqd.frame.berths import Berth
from rqd.frame.latelogs import LateLog, finish_logs
from rqd.frame.recall import Recorded
from rqd.frame.remains import Remains
from rqd.frame.roster import Roster
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.frame.strays import Strays
from rqd.frame.survivor import Survivor
from rqd.log import Logger
from rqd.refusals import Refused
from rqd.system.cgroups import CgroupTree
from rqd.system.identity import boot_id
from rqd.system.usage import EMPTY_USAGE, FrameUsage

_SUFFIX = ".record"
_STAY = "old files stay"


class _Known(NamedTuple):
    """A frame without a report."""

    recorded: Recorded
    spec: FrameSpec


class _Reported(NamedTuple):
    """A frame with a report: thousands may wait, so this is little."""

    modified: float
    key: str
    remains: Remains
    log_is_whole: bool


class Recovery:
    """Used once, before anything is served."""

    log = Logger()

    def __init__(
        self,
        site: Site,
        roster: Roster,
        *,
        reactor: IReactorFDSet,
        groups: CgroupTree | None,
        parse: Callable[[bytes], FrameSpec],
        used: Callable[[str], FrameUsage | None],
        contained: Callable[..., AdoptedFrame] | None = None,
        proc_root: str = "/proc",
    ) -> None:
        """``parse`` makes a spec of a request, or raises ValueError or Refused.

        ``used`` tells what a frame was seen to use, by its key. ``contained`` makes a frame of one
        that ran in a container, by what is given to ``AdoptedFrame`` but its place.
        """
        self._site = site
        self._roster = roster
        self._reactor = reactor
        self._groups = groups
        self._parse = parse
        self._used = used
        self._contained = contained
        self._proc_root = proc_root
        self._boot_id = boot_id(proc_root)
        self._reported: list[_Reported] = []
        self._strays = Strays(site, groups=groups, boot_id=self._boot_id, recall=self._known)

    def run(self) -> None:
        """Find them; raises OSError where the state folder can't be read."""
        known = self._read()
        frames = self._find(known)
        running = self._adopt([frame for frame in frames if frame.runs])
        ended = sorted((f for f in frames if not f.runs), key=lambda frame: frame.last_sign)
        if known or self._reported:
            self.log.info(
                "frames of an earlier agent running={running} ended={ended} reported={reported}",
                running=len(running),
                ended=len(ended),
                reported=len(self._reported),
            )
        berths = {frame.berth.name for frame in (*running, *ended) if frame.berth is not None}
        self._clear(berths, known)
        self._owe(sorted(self._reported))
        self._roster.conclude(ended, self._site)

    def _owe(self, reported: Sequence[_Reported]) -> None:
        """In the order in which they were reported first; their logs are looked after meanwhile."""
        for each in reported:
            self._roster.owe(each.key)
            if each.log_is_whole:
                self._rests(each.key, each.remains)
        logs = [LateLog(each.key, each.remains) for each in reported if not each.log_is_whole]
        finishing = finish_logs(logs, self._site, parse=self._parse, rests=self._rests)
        background(finishing, self.log, "logs of an earlier agent")

    def _rests(self, key: str, remains: Remains) -> None:
        """Its log is whole; its record stays for as long as something is withheld for it."""
        gone = self._site.withholding.gone(key)
        gone.addCallback(lambda _: self._roster.rests(key, remains))

    # -- reading -------------------------------------------------------------------------------

    def _read(self) -> list[_Known]:
        known = []
        names = set(os.listdir(self._site.records.folder))
        for name in sorted(names):
            path = f"{self._site.records.folder}/{name}"
            if name.endswith(_SUFFIX):
                known += self._recall_or_not(path, name.removesuffix(_SUFFIX), names)
            elif not leftovers.is_known(name):
                leftovers.set_aside(path, "it is no file of a frame's")
        folder = self._site.records.folder
        self._at_state(_STAY, leftovers.remove_orphans, folder, leftovers.orphans(names))
        return known

    def _recall_or_not(self, path: str, key: str, names: Container[str]) -> list[_Known]:
        """A frame without a report. What can't be had is set aside, or goes if there was nothing.

        ``names`` are those of all files here.
        """
        try:
            if leftovers.is_unbegun(path):
                self._site.records.files(key).remove()
                return []
            recorded = self._recall(path, key)
            if recorded.report is None:
                known = _Known(recorded, self._parse(recorded.request))
                if recorded.spooled and f"{key}.spool" not in names:
                    self._make_spool(recorded)
                return [known]
            self._was_reported(recorded, names)
        except (OSError, ValueError, Refused) as problem:
            leftovers.set_aside(path, problem)
        return []

    def _recall(self, path: str, key: str) -> Recorded:
        """Raises OSError or ValueError."""
        text, modified = recall.read(path)
        recorded, torn = recall.decode(key, text, modified)
        if torn:
            self.log.warn("cutting a torn line path={path} bytes={n}", path=path, n=torn)
            os.truncate(path, len(text) - torn)
        return recorded

    def _make_spool(self, recorded: Recorded) -> None:
        """The agent died before it had: an agent after this one would take the log for whole."""
        files = self._site.records.files(recorded.key)
        self._at_state(f"{files.spool} is not made", files.make_spool, recorded.identity)

    def _was_reported(self, recorded: Recorded, names: Container[str]) -> None:
        """Who forgets a frame begins with its spool; a log without that has a checkpoint."""
        key = recorded.key
        needed = f"{key}.spool" if recorded.spooled else f"{key}.checkpoint"
        remains = Remains(self._site.records, key, recorded.script)
        self._reported.append(_Reported(recorded.modified, key, remains, needed not in names))
        self._strays.note(recorded)

    # -- frames without a report -----------------------------------------------------------------

    def _find(self, known: Sequence[_Known]) -> list[AdoptedFrame]:
        """The newest is what runs in a berth: the others are those whose end got no record."""
        frames: dict[str, AdoptedFrame] = {}
        lost = []
        for each in sorted(known, key=lambda each: each.recorded.started_at, reverse=True):
            berth = each.recorded.where.berth
            if berth in frames:
                lost.append(self._frame(each, lost=True))
            else:
                frames[berth] = self._frame(each)
        return [*frames.values(), *lost]

    def _frame(self, known: _Known, *, lost: bool = False) -> AdoptedFrame:
        recorded, spec = known
        where = recorded.where
        if where.container and self._contained is not None:
            return self._found_in_container(known, self._contained)
        if lost:
            where = where._replace(berth=f"lost-{recorded.key}", start_ticks=0, group="")
        chain = f"{self._site.berths.folder}/{where.berth}.chain"
        supervisor = Survivor(
            where,
            chain,
            reactor=self._reactor,
            clock=self._site.reactor,
            proc_root=self._proc_root,
        )
        counts = self._groups is not None and self._groups.counts_oom_kills
        berth = Berth(
            where.berth,
            chain,
            group_of(where.group),
            supervisor,
            counts,
            used=True,
            killed_before=where.oom_kills,
            start_ticks=where.start_ticks,
        )
        spool = self._site.records.files(recorded.key).spool
        return AdoptedFrame(
            recorded,
            spec,
            berth,
            self._site,
            usage=self._used(recorded.key) or EMPTY_USAGE,
            last_sign=_last_sign(chain, spool) or recorded.started_at,
            this_boot=where.boot_id == self._boot_id,
        )

    def _found_in_container(
        self, known: _Known, contained: Callable[..., AdoptedFrame]
    ) -> AdoptedFrame:
        recorded, spec = known
        chain = self._site.records.chain_of_container(recorded.where.berth)
        spool = self._site.records.files(recorded.key).spool
        return contained(
            recorded,
            spec,
            usage=self._used(recorded.key) or EMPTY_USAGE,
            last_sign=_last_sign(chain, spool) or recorded.started_at,
            this_boot=recorded.where.boot_id == self._boot_id,
        )

    def _adopt(self, frames: Sequence[AdoptedFrame]) -> list[AdoptedFrame]:
        adopted = []
        for frame in frames:
            try:
                self._roster.adopt(frame, self._site)
            except Refused as problem:
                leftovers.set_aside(f"{self._site.records.folder}/{frame.key}{_SUFFIX}", problem)
            else:
                adopted.append(frame)
        return adopted

    # -- what is nobody's ------------------------------------------------------------------------

    def _clear(self, berths: Collection[str], known: Sequence[_Known]) -> None:
        """Chain files and groups of no frame go now, the rest soon; old files as they are found."""
        leftovers.remove_chains(self._site.berths.folder, berths)
        self._strays.end(berths)
        keys = {each.recorded.key for each in known} | {each.key for each in self._reported}
        records = self._site.records
        self._at_state(_STAY, leftovers.remove_old, records.folder, records.scripts, keys)

    def _at_state(self, trouble: str, function: Callable[..., object], *args: object) -> None:
        """Nobody waits for it; ``trouble`` is said if it fails."""
        self._site.disk.run(function, *args).addErrback(
            lambda failure: self.log.warn(
                "{trouble} reason={why}", trouble=trouble, why=failure.value
            )
        )

    def _known(self, key: str) -> tuple[Recorded, FrameSpec] | None:
        """A reported frame, looked at once more."""
        try:
            recorded = recall.recall(key, f"{self._site.records.folder}/{key}{_SUFFIX}")
            return recorded, self._parse(recorded.request)
        except (OSError, ValueError, Refused):
            return None


def _last_sign(*paths: str) -> float:
    """When the last of these files was written, 0 if there are none."""
    times = [0.0]
    for path in paths:
        with suppress(OSError):
            times.append(os.stat(path).st_mtime)
    return max(times)
