"""What the frames themselves wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Account:
    """Of one frame: how often it started, the numbers of lines, how it was to end.

    ``said`` and ``unsaid`` are ranges of numbers, the last included: lines of which the frame knows
    that they were written, and of which it knows that not all were.
    """

    starts: int = 0
    said: list[tuple[int, int]] = field(default_factory=list)
    unsaid: list[tuple[int, int]] = field(default_factory=list)
    end: int | None = None


class Torn(ValueError):
    """The ledger itself can't be read: nothing can be judged by it."""


def read(lines: Iterable[str]) -> dict[str, Account]:
    """The accounts by frame, of the lines of a ledger; raises Torn."""
    accounts: dict[str, Account] = defaultdict(Account)
    for text in lines:
        key, what, *numbers = text.split()
        account = accounts[key]
        match what, [*map(int, numbers)]:
            case "start", [_]:
                account.starts += 1
            case "said", [first, last]:
                account.said.append((first, last))
            case "unsaid", [first, last]:
                account.unsaid.append((first, last))
            case "end", [status]:
                account.end = status
            case _:
                raise Torn(text)
    return dict(accounts)
