"""Exit-status rules: what a failed frame printed last may say more than its exit status.

Pure. A regex may be slow on a megabyte: call ``apply`` in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class ExitStatusRule(NamedTuple):
    """A frame whose last output matches ``pattern`` ends with ``exit_status``."""

    name: str
    pattern: re.Pattern[str]
    exit_status: int

    @classmethod
    def of(cls, name: str, regex: str, exit_status: int) -> ExitStatusRule:
        """Compile ``regex`` (``^`` and ``$`` match at lines); raises ``re.error``."""
        return cls(name, re.compile(regex, re.MULTILINE), exit_status)


class Match(NamedTuple):
    """The rule that matched, and the text that did."""

    rule: ExitStatusRule
    text: str

    @property
    def exit_status(self) -> int:
        """The frame's new exit status."""
        return self.rule.exit_status


def apply(rules: Iterable[ExitStatusRule], tail: bytes, exit_status: int) -> Match | None:
    """The first of ``rules`` that matches ``tail``; none for a frame that ended well."""
    if exit_status == 0:
        return None
    text = tail.decode("utf-8", "surrogateescape")
    for rule in rules:
        if found := rule.pattern.search(text):
            return Match(rule, found[0])
    return None
