"""The order in which completions are tried (pure: no time passes here)."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field


@dataclass(slots=True, order=True)
class Completion:
    """A report that waits, ordered by the end of its frame.

    ``refusals`` counts the spells of failure in which it failed and which another report's
    success ended: what is refused while others are taken has itself to blame.
    """

    sequence: int
    key: str = field(compare=False)
    report: bytes = field(compare=False)
    failed_in: int = field(default=-1, compare=False)
    refusals: int = field(default=0, compare=False)


class Queue:
    """Completions that may be tried now, oldest first; those that failed go last.

    A *spell* begins with a failure and ends with the next success. Within a spell no report is
    tried a second time before every other was tried once, so that one which Cuebot always
    refuses can't hide from the others that Cuebot is back.
    """

    def __init__(self) -> None:
        self._untried: list[Completion] = []
        self._failed: list[Completion] = []
        self._spell = 0

    def __len__(self) -> int:
        return len(self._untried) + len(self._failed)

    def push(self, completion: Completion) -> None:
        """Let ``completion`` be tried, in its place."""
        heapq.heappush(self._untried, completion)

    def pop(self) -> Completion:
        """Take the next to be tried."""
        if not self._untried:
            self._untried, self._failed = sorted(self._failed), []
        return heapq.heappop(self._untried)

    def failed(self, completion: Completion) -> None:
        """Take back one whose try failed."""
        completion.failed_in = self._spell
        self._failed.append(completion)

    def end_spell(self) -> list[Completion]:
        """Order all by age again, but for those that were refused before: these are returned."""
        waiting = sorted(self._untried + self._failed)
        blamed = [completion for completion in waiting if completion.failed_in == self._spell]
        for completion in blamed:
            completion.refusals += 1
        refused = [completion for completion in blamed if completion.refusals > 1]
        self._untried = [c for c in waiting if c.failed_in != self._spell or c.refusals == 1]
        self._failed = []
        self._spell += 1
        return refused
