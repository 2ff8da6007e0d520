"""Where an agent is killed on purpose: each step of a launch, of an end, of a start.

A step is a function of the agent, and a moment: before its call, after its return, or half-way
through what it writes. ``launcher`` puts the SIGKILL there. Whoever renames one of these functions
is told so by ``test_steps``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

BEFORE, AFTER, HALF = "before", "after", "half"
_BOTH = (BEFORE, AFTER)
#: The latest call of a step at which it is aimed: of what each frame does, and of what few do.
_OFTEN, _SELDOM, _ONCE = 25, 2, 1


class Step(NamedTuple):
    """``place`` is ``module:name.in.it``; ``half`` does a half of what the function would do.

    ``within`` is the number of calls of which one is picked.
    """

    name: str
    place: str
    moments: tuple[str, ...] = _BOTH
    within: int = _OFTEN
    half: Callable[..., object] | None = None


class Aim(NamedTuple):
    """The ``call``-th call of a step, counted from 1."""

    step: str
    moment: str
    call: int

    def __str__(self) -> str:
        return f"{self.step}:{self.moment}:{self.call}"

    @classmethod
    def parse(cls, text: str) -> Aim:
        """Raises ValueError."""
        step, moment, call = text.split(":")
        return cls(step, moment, int(call))


def _half_of_text(descriptor: int, text: bytes) -> None:
    os.write(descriptor, text[: len(text) // 2])


def _half_of_line(files: Any, content: dict[str, object]) -> None:
    """A line that is added to a record."""
    from rqd.frame.records import _line

    line = _line(content)
    with open(files.record, "ab", buffering=0) as record:
        record.write(line[: len(line) // 2])


def _half_of_log(log: Any, pieces: Sequence[bytes]) -> None:
    text = b"".join(pieces)
    os.write(log._descriptor, text[: len(text) // 2])


def _half_of_orders(supervisor: Any, orders: bytes) -> None:
    """Straight into the pipe: what the reactor has buffered dies with it."""
    pipe = supervisor.transport._stdin.fileno()
    os.write(pipe, orders[: len(orders) // 2])


def _halved(half: Callable[..., object]) -> dict[str, Any]:
    return {"moments": (BEFORE, HALF, AFTER), "half": half}


LAUNCH = (
    Step("the launch call", "rqd.servant.frame_calls:FrameCalls.launch"),
    Step("cores are reserved", "rqd.system.reservations:Ledger.reserve"),
    Step("the frame begins to live", "rqd.frame.roster:Roster.launch"),
    Step("a berth is taken", "rqd.frame.berths:Berths.take"),
    Step("a berth is made", "rqd.frame.berths:Berths._make_site", within=4),
    Step("a supervisor is started", "rqd.frame.supervisor:Supervisors.start", within=4),
    Step("the chain file is tidied", "rqd.frame.berths:Berth.tidy"),
    Step("where it runs is looked up", "rqd.frame.berths:Berth.whereabouts"),
    Step("record, script and spool are made", "rqd.frame.records:FrameFiles.create"),
    Step("one of them is written", "rqd.frame.records:write_all", **_halved(_half_of_text)),
    Step("a file is used again", "rqd.blanks:_reuse"),
    Step("the spool is made", "rqd.frame.records:_make_for"),
    Step("the log is begun", "rqd.logging.framelogs:FrameLogs.begin"),
    Step("the log is made", "rqd.logging.logfile:LogFile.create"),
    Step("its checkpoint is made", "rqd.logging.checkpoint:create"),
    Step("orders are given", "rqd.frame.supervisor:Supervisor.order", **_halved(_half_of_orders)),
    Step("orders are written", "rqd.frame.spawning:_Stdin.writeSomeData"),
    Step("the launch is answered", "rqd.servant.bridge:_Exchange._succeeded"),
    Step("the output is followed", "rqd.frame.output:Output.follow"),
)
KILL = (
    Step("a kill begins", "rqd.frame.lifecycle:Frame.kill", within=_SELDOM),
    Step("the kill is noted", "rqd.frame.records:FrameFiles.write_kill", within=_SELDOM),
    Step("the frame is asked to end", "rqd.frame.ladder:Ladder._ask", within=_SELDOM),
)
END = (
    Step("an end is told", "rqd.frame.supervisor:Supervisor.told"),
    Step("output is copied", "rqd.logging.copier:Copier.work"),
    Step("a piece is copied", "rqd.logging.copier:Copier._copy_piece"),
    Step("the log grows", "rqd.logging.logfile:LogFile.append", **_halved(_half_of_log)),
    Step("the checkpoint moves", "rqd.logging.copier:Copier._save"),
    Step("cores are given back", "rqd.system.reservations:Ledger.release"),
    Step("the report is composed", "rqd.report.telling:Telling.completion"),
    Step("the log is being closed", "rqd.frame.output:Output.close"),
    Step("the footer is written", "rqd.logging.copier:Copier._add_footer"),
    Step("the files rest", "rqd.logging.copier:Copier._rest"),
    Step("the report is written", "rqd.frame.records:FrameFiles.write_report"),
    Step("a line is added", "rqd.frame.records:FrameFiles._add", **_halved(_half_of_line)),
    Step("the report is posted", "rqd.report.outbox:Outbox.post"),
    Step("the report is sent", "rqd.report.interface:ReportInterface.completion"),
    Step("Cuebot has taken it", "rqd.report.outbox:Outbox._was_taken"),
    Step("the frame is settled", "rqd.frame.roster:Roster.settled"),
    Step("the berth is free again", "rqd.frame.berths:Berths.give_back"),
    Step("the berth is given up", "rqd.frame.berths:Berths.discard", within=_SELDOM),
    Step("what is left is ended", "rqd.frame.lifecycle:Frame.end_what_is_left"),
    Step("ended frames are cleared", "rqd.frame.clearing:remove_all", within=4),
    Step("its files are removed", "rqd.frame.records:FrameFiles.remove"),
    Step("all but the record is gone", "rqd.frame.records:FrameFiles.remove_all_but_record"),
    Step("a file is emptied", "rqd.blanks:_empty"),
    Step("a file is kept for later", "rqd.blanks:Blanks._keep"),
)
START = (
    Step("recovery", "rqd.frame.recovery:Recovery.run", within=_ONCE),
    Step("a record is recalled", "rqd.frame.recovery:Recovery._recall", within=4),
    Step("an earlier frame is looked for", "rqd.frame.recovery:Recovery._frame", within=4),
    Step("a frame is adopted", "rqd.frame.roster:Roster.adopt", within=4),
    Step("a report is owed", "rqd.frame.roster:Roster.owe", within=4),
    Step("ends are concluded", "rqd.frame.roster:Roster.conclude", within=_ONCE),
    Step("orphans are removed", "rqd.frame.leftovers:remove_orphans", within=_ONCE),
    Step("chain files are removed", "rqd.frame.leftovers:remove_chains", within=_ONCE),
    Step("a log is found again", "rqd.logging.framelogs:FrameLogs.resume", within=4),
)
STEPS = {step.name: step for step in (*LAUNCH, *KILL, *END, *START)}


def targets() -> Iterator[tuple[Step, str]]:
    """Each step at each of its moments."""
    for step in STEPS.values():
        for moment in step.moments:
            yield step, moment
