"""The order in which completions are tried (pure: no time passes here)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

#: How often in a row the oldest is tried again, where nothing speaks against it, before another
#: gets a turn.
IN_PLACE = 64


@dataclass(slots=True, order=True)
class Completion:
    """A report that waits, ordered by the end of its frame.

    ``report`` is None while it is only on disk, which it never is unless it is ``kept`` there.
    ``refusals`` counts the spells of failure in which it failed and which another report's
    success ended: what is refused while others are taken has itself to blame.
    """

    sequence: int
    key: str = field(compare=False)
    report: bytes | None = field(compare=False)
    kept: bool = field(default=True, compare=False)
    failed_in: int = field(default=-1, compare=False)
    refusals: int = field(default=0, compare=False)


class Queue:
    """Completions that may be tried now, oldest first; those that failed go last.

    A *spell* begins with a failure and ends with the next success. Within a spell no report is
    tried a second time before every other was tried once, so that one which Cuebot always
    refuses can't hide from the others that Cuebot is back. One that failed because there was
    nobody to take it stays first, so that all are taken in order; now and then one of the others
    is tried in its stead, in case it was to blame after all.
    """

    def __init__(self) -> None:
        self._untried: list[Completion] = []
        self._failed: list[Completion] = []
        self._aside: Completion | None = None
        self._in_place = 0
        self._spell = 0

    def __len__(self) -> int:
        return len(self._untried) + len(self._failed) + (self._aside is not None)

    def push(self, completion: Completion) -> None:
        """Let ``completion`` be tried, in its place."""
        heapq.heappush(self._untried, completion)

    def first(self) -> Completion:
        """The next to be tried."""
        if not self._untried:
            self._untried, self._failed = self._all(), []
            self._aside = None
        return self._untried[0]

    def pop(self) -> Completion:
        """Take the next to be tried."""
        self.first()
        return heapq.heappop(self._untried)

    def failed(self, completion: Completion) -> None:
        """Take back one whose try failed."""
        completion.failed_in = self._spell
        self._failed.append(completion)

    def found_nobody(self, completion: Completion) -> None:
        """Take back one that there was nobody to take, it seems."""
        if completion.refusals:
            self.failed(completion)
        elif self._aside is not None:
            self._failed.append(completion)
            self._aside.failed_in = -1
            self.push(self._aside)
            self._aside = None
        elif self._in_place < IN_PLACE:
            self._in_place += 1
            self.push(completion)
        else:
            self._in_place = 0
            completion.failed_in = self._spell
            self._aside = completion

    def end_spell(self) -> list[Completion]:
        """Order all by age again, but for those that were refused before: these are returned."""
        waiting = self._all()
        blamed = [completion for completion in waiting if completion.failed_in == self._spell]
        for completion in blamed:
            completion.refusals += 1
        refused = [completion for completion in blamed if completion.refusals > 1]
        self._untried = [c for c in waiting if c.failed_in != self._spell or c.refusals == 1]
        self._failed = []
        self._aside = None
        self._in_place = 0
        self._spell += 1
        return refused

    def _all(self) -> list[Completion]:
        aside = [] if self._aside is None else [self._aside]
        return sorted(self._untried + self._failed + aside)
