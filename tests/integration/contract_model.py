"""A small model of the contract: what an agent may answer, and what it may report.

Calls come in rounds. All calls of a round overlap, except that each client makes its own one after
the other; between rounds nothing is under way but frames. So the model knows of each frame that it
surely runs, surely doesn't, or may; of the locks, which values they may have; and so on. An answer
that none of this allows is ``Illegal``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from rqd.proto import report_pb2


class Illegal(AssertionError):
    """The agent did what the contract doesn't allow."""


class Life(Enum):
    """What is known of a frame between rounds."""

    ABSENT = "absent"
    MAYBE = "maybe"
    RUNNING = "running"


@dataclass(eq=False, slots=True)
class Launch:
    """One launch that was asked for. ``own_end`` is None for frames that only a kill ends."""

    frame_id: str
    resource_id: str
    points: int
    ignore_nimby: bool
    own_end: int | None
    killed: bool = False
    nimby: bool = False

    def legal_ends(self) -> set[tuple[int, int]]:
        """Exit statuses and signals that it may be reported with."""
        ends = set() if self.own_end is None else {(self.own_end, 0)}
        if self.killed:
            ends |= {(1, 15), (1, 9)}
        if self.nimby:
            ends |= {(286, 0), (286, 15), (286, 9)}
        return ends


@dataclass(eq=False, slots=True)
class Call:
    """One call of one client, and once it is over, the name of its status and what came back."""

    client: int
    method: str
    frame_id: str = ""
    points: int = 0
    launch: Launch | None = None
    code: str = ""
    told: str = ""  # the resource id in the answer, where it has one
    report: report_pb2.HostReport | None = None

    @property
    def ok(self) -> bool:
        return self.code == "OK"


LOCKS = frozenset({"Lock", "LockAll", "Unlock", "UnlockAll"})
KILLS = frozenset({"KillRunningFrame", "Kill"})
SWITCHES = frozenset({"NimbyOn", "NimbyOff"})
QUESTIONS = frozenset({"GetRunFrame", "GetRunningFrameStatus", "Status"})


@dataclass(slots=True)
class Locks:
    """The points that are to be locked: one of ``values``."""

    total: int
    values: set[int] = field(default_factory=lambda: {0})

    def after(self, call: Call, value: int) -> int:
        if call.method == "Lock":
            return min(self.total, value + call.points)
        if call.method == "Unlock":
            return max(0, value - call.points)
        return self.total if call.method == "LockAll" else 0

    def bounds(self, calls: Iterable[Call]) -> tuple[int, int]:
        """The least and the most that may be locked at any time of a round."""
        least, most = min(self.values), max(self.values)
        for call in calls:
            if call.method in ("Unlock", "UnlockAll"):
                least = 0 if call.method == "UnlockAll" else least - max(0, call.points)
            elif call.method in ("Lock", "LockAll"):
                most = (
                    self.total if call.method == "LockAll" else min(self.total, most + call.points)
                )
        return max(0, least), min(self.total, most)

    def play(self, calls: Iterable[Call]) -> None:
        """Apply a round in every order that keeps each client's own."""
        sequences: dict[int, list[Call]] = {}
        for call in calls:
            if call.method in LOCKS and call.ok:
                sequences.setdefault(call.client, []).append(call)
        columns = list(sequences.values())
        waiting = [((0,) * len(columns), value) for value in self.values]
        seen = set(waiting)
        self.values = set()
        while waiting:
            places, value = waiting.pop()
            if all(place == len(column) for place, column in zip(places, columns, strict=True)):
                self.values.add(value)
            for n, column in enumerate(columns):
                if places[n] < len(column):
                    step = (
                        (*places[:n], places[n] + 1, *places[n + 1 :]),
                        self.after(column[places[n]], value),
                    )
                    if step not in seen:
                        seen.add(step)
                        waiting.append(step)


@dataclass(slots=True)
class NimbyLock:
    """Whether activity detection is on, and whether the host is its user's: what may be so."""

    on: set[bool] = field(default_factory=lambda: {False})
    seen_locked: bool = False
    user_active: bool = False

    def may_be(self, methods: set[str]) -> set[bool]:
        """What the lock may be at some time of a round with these calls in it."""
        may = {self.seen_locked}
        if self.user_active and (True in self.on or "NimbyOn" in methods):
            may.add(True)
        if self.seen_locked and (not self.user_active or "NimbyOff" in methods):
            may.add(False)
        return may

    def play(self, calls: Sequence[Call]) -> None:
        switches = [call for call in calls if call.ok and call.method in SWITCHES]
        self.on = {call.method == "NimbyOn" for call in switches} or self.on


class Model:
    """What is known of an agent with so many points."""

    def __init__(self, total: int) -> None:
        self.locks = Locks(total)
        self.nimby = NimbyLock()
        self.total = total
        self.unended: dict[str, Launch] = {}
        self._accepted: dict[str, str] = {}
        self._current: dict[str, Launch] = {}
        self._lives: dict[str, Life] = {}

    def life(self, frame_id: str) -> Life:
        return self._lives.get(frame_id, Life.ABSENT)

    # -- a round -------------------------------------------------------------------------------

    def play(self, calls: Sequence[Call]) -> None:
        """Judge the answers of a round; raises Illegal."""
        around = _Round(self, calls)
        for call in calls:
            legal = around.legal(call)
            if call.code not in legal:
                raise Illegal(f"{call} answered, {' or '.join(sorted(legal))} expected")
            if call.report is not None:
                self.check_sums(call.report.core_info)
        self._remember(calls, may_lock=True in around.nimby)

    def _remember(self, calls: Sequence[Call], *, may_lock: bool) -> None:
        for call in calls:
            if call.launch is not None and call.ok:
                self._take(call.launch)
        for call in calls:
            if call.method in KILLS and call.ok:
                self._kill(call.frame_id)
            if call.told and self._accepted.get(call.told) != call.frame_id:
                raise Illegal(f"{call} tells of a launch that never was")
        for launch in self.unended.values():
            if may_lock and not launch.ignore_nimby:
                launch.nimby = True
                self._lives[launch.frame_id] = Life.MAYBE
        self.locks.play(calls)
        self.nimby.play(calls)

    def _take(self, launch: Launch) -> None:
        self._accepted[launch.resource_id] = launch.frame_id
        self.unended[launch.resource_id] = self._current[launch.frame_id] = launch
        self._lives[launch.frame_id] = Life.RUNNING if launch.own_end is None else Life.MAYBE

    def _kill(self, frame_id: str) -> None:
        """Whichever launch of the frame it was that the kill met."""
        for launch in self.unended.values():
            if launch.frame_id == frame_id:
                launch.killed = True
        self._lives[frame_id] = Life.MAYBE

    # -- reports -------------------------------------------------------------------------------

    def completed(self, report: report_pb2.FrameCompleteReport) -> None:
        """A completion; raises Illegal."""
        frame = report.frame
        launch = self.unended.pop(frame.resource_id, None)
        if launch is None or frame.frame_id != launch.frame_id:
            raise Illegal(f"a completion of a launch that has none to come: {frame}")
        if (report.exit_status, report.exit_signal) not in launch.legal_ends():
            raise Illegal(f"{launch} ended with {report.exit_status}, {report.exit_signal}")
        if frame.num_cores != launch.points:
            raise Illegal(f"{launch} ended with {frame.num_cores} points")
        if self._current[launch.frame_id] is launch:
            self._lives[launch.frame_id] = Life.ABSENT

    def check_sums(self, cores: report_pb2.CoreDetail) -> None:
        """total = idle + locked + booked, none of them negative, in every report ever sent."""
        parts = (cores.idle_cores, cores.locked_cores, cores.booked_cores)
        if cores.total_cores != self.total or sum(parts) != self.total or min(parts) < 0:
            raise Illegal(f"the cores don't add up: {cores}")

    def check_told(self, report: report_pb2.HostReport) -> None:
        """A report of any time until now; raises Illegal."""
        self.check_sums(report.core_info)
        for frame in report.frames:
            if self._accepted.get(frame.resource_id) != frame.frame_id:
                raise Illegal(f"a report tells of a frame that was not launched so: {frame}")

    def check_still(self, report: report_pb2.HostReport) -> None:
        """A report between two rounds: it must be right, and tells what wasn't known for sure."""
        self.check_told(report)
        told = [frame.frame_id for frame in report.frames]
        if len(told) != len(set(told)):
            raise Illegal(f"a frame is told twice: {sorted(told)}")
        for frame_id, life in self._lives.items():
            if (life is Life.RUNNING) > (frame_id in told) or (
                life is Life.ABSENT and frame_id in told
            ):
                raise Illegal(f"frame {frame_id} is {life.value}, reported are {sorted(told)}")
        self._check_cores(report.core_info)
        self._check_nimby(report.host)

    def _check_cores(self, cores: report_pb2.CoreDetail) -> None:
        least, most = self.booked()
        if not least <= cores.booked_cores <= most:
            raise Illegal(f"{cores.booked_cores} points booked, {least} to {most} expected")
        rest = self.total - cores.booked_cores
        matching = {value for value in self.locks.values if min(value, rest) == cores.locked_cores}
        if not matching:
            raise Illegal(f"{cores.locked_cores} points locked, of {sorted(self.locks.values)}")
        self.locks.values = matching

    def _check_nimby(self, host: report_pb2.RenderHost) -> None:
        if host.nimby_enabled not in self.nimby.on:
            raise Illegal(f"nimby_enabled is {host.nimby_enabled}")
        self.nimby.on = {host.nimby_enabled}
        if not host.nimby_enabled:
            self.nimby.seen_locked = False
        if host.nimby_locked not in self.nimby.may_be(set()):
            raise Illegal(f"nimby_locked is {host.nimby_locked}")
        self.nimby.seen_locked = host.nimby_locked

    def booked(self, calls: Sequence[Call] = (), *, may_lock: bool = False) -> tuple[int, int]:
        """The least and the most points that may be booked at any time of a round."""
        least = most = 0
        killed = {call.frame_id for call in calls if call.method in KILLS}
        for frame_id, launch in self._current.items():
            life = self.life(frame_id)
            if life is not Life.ABSENT:
                most += launch.points
            stays = frame_id not in killed and (launch.ignore_nimby or not may_lock)
            if life is Life.RUNNING and stays:
                least += launch.points
        return least, most + sum(max(0, call.launch.points) for call in calls if call.launch)


class _Round:
    """What the calls of one round may be answered."""

    def __init__(self, model: Model, calls: Sequence[Call]) -> None:
        self._model = model
        self._calls = calls
        self.nimby = model.nimby.may_be({call.method for call in calls})
        self._booked = model.booked(calls, may_lock=True in self.nimby)
        self._locked = model.locks.bounds(calls)

    def legal(self, call: Call) -> set[str]:
        """Names of statuses."""
        if call.launch is not None:
            return self._legal_of_launch(call, call.launch)
        if call.method in KILLS | QUESTIONS:
            return _FOUND[self._seen(call)]
        if call.points < 0:
            return {"INVALID_ARGUMENT"}
        if call.method == "NimbyOn" and any(each.method == "NimbyOff" for each in self._calls):
            return {"OK", "FAILED_PRECONDITION"}
        return {"OK"}

    def _legal_of_launch(self, call: Call, launch: Launch) -> set[str]:
        if launch.points <= 0:
            return {"INVALID_ARGUMENT"}
        refusals = set()
        if True in self.nimby and not launch.ignore_nimby:
            refusals.add("FAILED_PRECONDITION")
            if False not in self.nimby:
                return refusals
        life = self._seen(call)
        if life is not Life.ABSENT:
            refusals.add("ALREADY_EXISTS")
        return refusals if life is Life.RUNNING else refusals | self._fitting(launch)

    def _fitting(self, launch: Launch) -> set[str]:
        """Whether there are points enough: surely, surely not, or perhaps."""
        least = self._booked[0] + self._locked[0]
        most = self._booked[1] - launch.points + self._locked[1]
        fits = {"OK"} if launch.points <= self._model.total - least else set()
        return fits | (
            {"RESOURCE_EXHAUSTED"} if launch.points > self._model.total - most else set()
        )

    def _seen(self, call: Call) -> Life:
        """What the client can know of the frame when it calls."""
        life = self._model.life(call.frame_id)
        about = [each for each in self._calls if each.frame_id == call.frame_id]
        for each in about[: about.index(call)]:
            if each.client == call.client and each.ok:
                life = _after(each, life)
        others = [each for each in about if each.client != call.client]
        if life is Life.RUNNING and any(each.method in KILLS for each in others):
            life = Life.MAYBE
        if life is Life.RUNNING and True in self.nimby:
            life = Life.MAYBE
        return Life.MAYBE if any(each.launch for each in others) else life


_FOUND = {
    Life.ABSENT: {"NOT_FOUND"},
    Life.MAYBE: {"NOT_FOUND", "OK"},
    Life.RUNNING: {"OK"},
}


def _after(call: Call, life: Life) -> Life:
    """What a client knows after its own call was answered OK."""
    if call.launch is not None:
        return Life.RUNNING if call.launch.own_end is None else Life.MAYBE
    return Life.MAYBE if call.method in KILLS else life
