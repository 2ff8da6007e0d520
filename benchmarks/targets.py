"""What is promised of a row, and whether a figure keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Target:
    """A bound: of the ratio to the classic agent, or of openrqd's own value.

    Of a ratio and a "value" the median of the rounds counts, of "each" the worst round.
    """

    of: Literal["ratio", "value", "each"]
    bound: Literal["≤", "≥"]
    limit: float

    def __str__(self) -> str:
        return f"{self.bound} {self.limit:g}{TIMES if self.of == 'ratio' else ''}"

    def met(self, figure: float) -> bool:
        """Does the figure keep the promise? NaN never does."""
        return figure <= self.limit if self.bound == "≤" else figure >= self.limit


def ratio_at_most(limit: float) -> Target:
    """Promise to take at most so many times what the classic agent takes."""
    return Target("ratio", "≤", limit)


def ratio_at_least(limit: float) -> Target:
    """Promise to do at least so many times what the classic agent does."""
    return Target("ratio", "≥", limit)


def at_most(limit: float) -> Target:
    """Promise a median of at most this, whatever the classic agent does."""
    return Target("value", "≤", limit)


def at_least(limit: float) -> Target:
    """Promise a median of at least this, whatever the classic agent does."""
    return Target("value", "≥", limit)


NONE = Target("each", "≤", 0)
"""Promise that there is none, in any round."""
