"""Three ledgers compared: what the frames wrote, what Cuebot took, what the logs hold (pure).

A finding is a promise that was not kept. What is allowed, but worth a number, is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from tests.chaos.frames import Frame, line
from tests.chaos.ledger import Account
from tests.chaos.logs import Log

COULD_NOT_START, VANISHED = (256, 0), (1, 19)
_TERM, _KILL = (1, 15), (1, 9)
OK = "OK"
#: Answers after which a launch may have been taken all the same. All others are refusals.
#: What a launch is answered that the disk of the state folder does not take.
BY_STATE_FOLDER = "UNAVAILABLE for its state folder"
UNSURE = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"})


@dataclass
class Launch:
    """One call of LaunchFrame: the gRPC status that it was answered with, and kills since."""

    frame: Frame
    answer: str = ""
    kills: int = 0


class Completion(NamedTuple):
    """A completion as it arrived: its bytes, the end that it tells, whether Cuebot took it.

    ``facts`` are what it says, field by field, for people; ``at`` is when it arrived (seconds since
    the epoch).
    """

    report: bytes
    end: tuple[int, int]
    taken: bool
    facts: Mapping[str, str] = MappingProxyType({})
    at: float = 0.0


class Finding(NamedTuple):
    """A broken promise: what kind, of which frame, and the details."""

    kind: str
    key: str
    text: str


@dataclass
class Verdict:
    """What came out."""

    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, key: str, text: object = "") -> None:
        self.findings.append(Finding(kind, key, str(text)))


def check(
    launches: Iterable[Launch],
    accounts: Mapping[str, Account],
    completions: Mapping[str, Sequence[Completion]],
    log_of: Callable[[Frame], Log | None],
    unkept: Collection[str] = (),
) -> Verdict:
    """Judge all frames; ``completions`` are by key, in order of arrival.

    ``unkept`` are frames that ended while the state folder took nothing. If the agent is killed
    before it does again, nobody can know more than that they are over: that is counted.
    """
    verdict = Verdict()
    known = set()
    for launch in launches:
        known.add(launch.frame.key)
        of_frame = _OneFrame(
            launch,
            accounts.get(launch.frame.key, Account()),
            completions.get(launch.frame.key, ()),
            verdict,
            launch.frame.key in unkept,
        )
        of_frame.check(log_of)
    for key in (accounts.keys() | completions.keys()) - known:
        verdict.add("a frame that nobody launched", key)
    return verdict


class _OneFrame:
    def __init__(
        self,
        launch: Launch,
        account: Account,
        completions: Sequence[Completion],
        verdict: Verdict,
        unkept: bool,
    ) -> None:
        self._launch = launch
        self._frame = launch.frame
        self._account = account
        self._completions = completions
        self._taken = [each for each in completions if each.taken]
        self._verdict = verdict
        self._unkept = unkept

    def check(self, log_of: Callable[[Frame], Log | None]) -> None:
        self._count(f"answered {self._launch.answer}")
        if self._account.starts > 1:
            self._find("ran twice", f"{self._account.starts} times")
        if self._account.starts:
            self._count("frames that ran")
        self._check_answer()
        self._check_completions()
        log = log_of(self._frame)
        if self._taken:
            self._check_end(self._taken[0].end)
            self._check_log(log, self._taken[0].end)
        elif log is not None:
            self._count("logs of frames that never were")

    def _check_answer(self) -> None:
        """What was promised by the answer of the launch, about running and being reported."""
        answer, ran = self._launch.answer, bool(self._account.starts)
        if answer == OK and not self._taken:
            self._find("lost", "ran, no completion" if ran else "never ran, no completion")
        elif answer in UNSURE and ran and not self._taken:
            self._find("ran unreported", f"its launch was answered {answer}")
        elif answer != OK and answer not in UNSURE and (ran or self._completions):
            self._check_refused(answer, ran)

    def _check_refused(self, answer: str, ran: bool) -> None:
        """A record that a disk took too late, and that no agent lived to remove, is told as 256."""
        late = answer == BY_STATE_FOLDER and not ran
        if late and all(each.end == COULD_NOT_START for each in self._completions):
            self._count("refused by a disk that hung, and told as not started")
        else:
            self._find("refused, and yet there", f"{answer}, ran={ran}")

    def _check_completions(self) -> None:
        self._count("completions that arrived", len(self._completions))
        self._count("completions that Cuebot took", len(self._taken))
        self._count("completions taken again", max(0, len(self._taken) - 1))
        different = {each.report for each in self._completions}
        ends = {each.end for each in self._completions}
        if len(different) > 1 and self._unkept and len(ends - {VANISHED}) <= 1:
            self._count("completions made anew, as the state folder took none")
        elif len(different) > 1:
            self._find("unequal completions", f"{len(different)} kinds: {self._differences()}")

    def _differences(self) -> str:
        """The facts in which completions differ."""
        facts = [each.facts for each in self._completions]
        names = sorted({name for each in facts for name in each})
        told = {name: [each.get(name) for each in facts] for name in names}
        return ", ".join(
            f"{name} {values}" for name, values in told.items() if len(set(values)) > 1
        )

    # -- the end ---------------------------------------------------------------------------------

    def _check_end(self, end: tuple[int, int]) -> None:
        if not self._account.starts:
            self._check_unstarted(end)
        elif end == VANISHED and self._unkept:
            self._count("ends that the state folder did not take (reported as vanished)")
        elif end not in self._right_ends():
            right = sorted(self._right_ends())
            self._find("wrong end", f"{self._frame.kind}: {end}, right would be one of {right}")

    def _check_unstarted(self, end: tuple[int, int]) -> None:
        if end == COULD_NOT_START:
            self._count("frames that could not be started (256)")
        elif end == VANISHED:
            self._count("frames that vanished before they ran")
        elif self._launch.answer in UNSURE and end == _TERM:
            self._count("frames that did not start, as their caller had left")
        elif self._launch.kills and end in (_TERM, _KILL):
            self._count("frames killed before they ran")
        else:
            self._find("wrong end", f"never ran, reported as {end}")

    def _right_ends(self) -> set[tuple[int, int]]:
        """What it may have ended with, by what it did, and what was done to it."""
        said = self._account.end
        right = {(said, 0)} if said is not None else set()
        if said is None and self._frame.kind == "signalled" and self._frame.ends is not None:
            right.add(self._frame.ends)
        if self._launch.kills:
            right |= {_KILL} if self._frame.deaf and self._account.said else {_TERM, _KILL}
        return right

    # -- the log ---------------------------------------------------------------------------------

    def _check_log(self, log: Log | None, end: tuple[int, int]) -> None:
        if log is None:
            if self._account.starts:
                self._find("no log")
            return
        if log.headers != 1:
            self._find("log headers", log.headers)
        if log.footers != 1:
            ran = "ran" if self._account.starts else "never ran"
            self._find("log footers", f"{log.footers}, {ran}, {self._frame.folder}")
        elif log.end != end:
            self._check_footer(log, end)
        self._check_lines(log)

    def _check_footer(self, log: Log, end: tuple[int, int]) -> None:
        """It tells what Cuebot was told; of an end that was told in two ways, either."""
        if not (self._unkept and log.end in {each.end for each in self._completions}):
            self._find("footer is torn or differs", f"footer {log.end}, completion {end}")

    def _check_lines(self, log: Log) -> None:
        """Each line that the frame knows to have written is there, whole, in order and once."""
        seen: list[int] = []
        for text in filter(None, log.lines):
            number = self._number(text)
            if number is None:
                self._check_fragment(text)
            else:
                seen.append(number)
        self._count("numbered lines in logs", len(seen))
        for before, after in pairwise(seen):
            if after <= before:
                self._find("log line twice or out of order", f"{after} after {before}")
        there = set(seen)
        missing = [number for number in _all(self._account.said) if number not in there]
        self._count("numbered lines that frames wrote", sum(1 for _ in _all(self._account.said)))
        if missing:
            self._find("log lines lost", f"{len(missing)}: {missing[0]} to {missing[-1]}")

    def _number(self, text: bytes) -> int | None:
        """The number of a line that is whole."""
        try:
            number = int(text.split(b" ", 2)[1])
        except (IndexError, ValueError):
            return None
        return number if text + b"\n" == line(self._frame.key, number) else None

    def _check_fragment(self, text: bytes) -> None:
        """A frame may have written a part of a line, if the disk was full, or it was killed."""
        may_be = bool(self._account.unsaid) or self._account.end is None
        if may_be and _is_fragment(self._frame.key, text):
            self._count("pieces of lines, torn by the frame itself")
        else:
            self._find("log line torn", text[:100])

    def _count(self, what: str, number: int = 1) -> None:
        self._verdict.counts[what] += number

    def _find(self, kind: str, text: object = "") -> None:
        self._verdict.add(kind, self._frame.key, text)


def _is_fragment(key: str, text: bytes) -> bool:
    """Whether it is the beginning of a numbered line."""
    parts = text.split(b" ", 2)
    if len(parts) < 3:
        return f"{key} ".encode().startswith(parts[0]) if len(parts) == 1 else _is_number(parts[1])
    return _is_number(parts[1]) and line(key, int(parts[1])).startswith(text)


def _is_number(text: bytes) -> bool:
    return text.isdigit() or not text


def _all(ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
    for first, last in ranges:
        yield from range(first, last + 1)
