"""Frames that an earlier agent started: gone on with, or brought to the end that they had.

They live as all frames do (``rqd.frame.lifecycle``), but for how they begin, and that their end is
told by their chain file.
"""

from __future__ import annotations

import os
from pathlib import Path

from rqd.background import background
from rqd.frame.accounted import Accounted
from rqd.frame.environment import frame_environment
from rqd.frame.exits import Exit
from rqd.frame.ladder import Grace
from rqd.frame.lifecycle import Frame
from rqd.frame.members import GroupMembers, IMembers, SessionMembers
from rqd.frame.output import Output
from rqd.frame.phases import Kill, Phase
from rqd.frame.places import IPlace
from rqd.frame.recall import Recorded
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.system import cgroups
from rqd.system.usage import FrameUsage


class LeftSession(SessionMembers):
    """The session of a supervisor that is gone, if its members can be proved to be the frame's.

    As long as one of them lives no other session gets the number, so one that has the frame's
    environment speaks for all. An empty ``mark`` proves nothing.
    """

    def __init__(self, supervisor: int, mark: bytes, proc_root: str = "/proc") -> None:
        super().__init__(supervisor, proc_root)
        self._leader = None  # whoever has its number now is another
        self._mark = mark
        self._root = proc_root

    def pids(self) -> list[int]:
        found = super().pids()
        return found if any(map(self._is_ours, found)) else []

    def _is_ours(self, pid: int) -> bool:
        try:
            with open(f"{self._root}/{pid}/environ", "rb") as variables:
                return bool(self._mark) and self._mark in variables.read().split(b"\0")
        except OSError:
            return False


class _Earlier(Frame):
    """What is known of a frame by its record."""

    def __init__(self, recorded: Recorded, spec: FrameSpec, site: Site) -> None:
        super().__init__(spec, recorded.key, recorded.reservation, recorded.identity, site)
        self._files = site.records.files(recorded.key, recorded.script)
        self.output = Output(self.output.path, self._files, site, spooled=recorded.spooled)
        self.started_at = recorded.started_at

    async def _resume_log(self) -> None:
        """Go on with its log; its output is looked at at once."""
        environment = frame_environment(
            self.spec, self._site.environment, self.reservation, self.output.path
        )
        await self.output.resume(*self.log_terms(environment))
        self.output.follow()


class AdoptedFrame(Accounted, _Earlier):
    """A frame of which there is a record without a report; ``berth`` tells whether it runs."""

    def __init__(
        self,
        recorded: Recorded,
        spec: FrameSpec,
        berth: IPlace,
        site: Site,
        *,
        usage: FrameUsage,
        last_sign: float,
        this_boot: bool,
    ) -> None:
        """``last_sign``: when the frame, or its chain, last wrote; seconds since the epoch."""
        super().__init__(recorded, spec, site)
        self.usage = usage
        self.berth = berth
        self.runs = berth.supervisor.running
        self._born = recorded.born
        self.phase = Phase.RUNNING if self.runs else Phase.ENDING
        self.members = self._find_members(berth, this_boot)
        self._last_sign = last_sign
        self._killed_at: float | None = None
        if recorded.kill is not None:
            reason, status, number, patience, self._killed_at = recorded.kill
            self._kill = Kill(reason, status, number, patience)

    def _find_members(self, berth: IPlace, this_boot: bool) -> IMembers:
        """By control group if it is there, and is what the supervisor is in as long as it lives."""
        pid = berth.supervisor.pid
        if berth.group is not None and (not self.runs or pid in cgroups.members(berth.group)):
            return berth.members()
        if self.runs:
            return SessionMembers(pid)
        return LeftSession(pid, mark_of(self.spec) if this_boot else b"")

    @property
    def last_sign(self) -> float:
        return self._last_sign

    async def _run(self) -> Exit:
        """From being found to the exit as it is reported."""
        self._go_on()
        await self._resume_log()
        return await self._to_the_end()

    def _go_on(self) -> None:
        """If it runs, and where it was being killed, with that."""
        if self.runs:
            self._say_found()
            if self._kill is not None:
                background(self._climb(), self.log, "kill frame_id=" + self.spec.frame_id)

    def _say_found(self) -> None:
        assert self.members is not None
        self.log.info(
            "frame found running frame_id={frame_id} name={name} pid={pid} cores={cores}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            name=self.spec.name,
            pid=self.members.supervisor,
            cores=self.spec.num_cores,
        )

    def _end(self) -> tuple[float, float]:
        """What ended while no agent was there, ended with its last sign of life."""
        if self.runs:
            return super()._end()
        return self._last_sign, max(0.0, self._last_sign - self.started_at)

    def _grace(self) -> Grace:
        """A kill that was begun by an earlier agent has had some of its grace."""
        grace = super()._grace()
        if self._killed_at is None:
            return grace
        had = max(0.0, self._site.reactor.seconds() - self._killed_at)
        return grace._replace(timeout=max(0.0, grace.timeout - had))


class ReportedFrame(_Earlier):
    """A frame that is over and has its report on disk, but whose log may lack its end.

    No process of it is looked at.
    """

    def __init__(self, recorded: Recorded, spec: FrameSpec, site: Site) -> None:
        super().__init__(recorded, spec, site)
        self.phase = Phase.ENDED
        self._footer = recorded.footer

    async def finish_log(self) -> None:
        """Bring the log to its end; what it needed goes then, or else with the record."""
        await self._resume_log()
        await self.output.close(self._footer)
        try:
            await self._site.disk.run(self._files.remove_all_but_record)
        except OSError as problem:
            self.log.warn("files of a log stay reason={why} key={key}", why=problem, key=self.key)


def mark_of(spec: FrameSpec) -> bytes:
    """What the frame has in its environment, and no other."""
    return os.fsencode(f"logfile={spec.log_path}")


def group_of(path: str) -> Path | None:
    """A control group, if it is still there."""
    group = Path(path)
    return group if path and (group / "cgroup.procs").exists() else None


def left_in(group: Path) -> GroupMembers:
    """Whatever is in a group that no frame runs in."""
    return GroupMembers(group, 0, counts_oom_kills=False)
