"""Exit-status rules."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.rules import ExitStatusRule, apply

LICENCE = ExitStatusRule.of("licence", r"^no licence (left|found)$", 40)
MEMORY = ExitStatusRule.of("memory", r"out of memory", 41)


class RulesTests(SynchronousTestCase):
    """``apply``."""

    def test_match(self) -> None:
        """The rule that matches gives the status, its name and the text."""
        match = apply([MEMORY, LICENCE], b"one\nno licence left\nbye\n", 1)
        assert match is not None
        self.assertEqual((match.exit_status, match.rule.name), (40, "licence"))
        self.assertEqual(match.text, "no licence left")

    def test_first_rule_wins(self) -> None:
        """The order of the rules decides, not that of the output."""
        match = apply([MEMORY, LICENCE], b"no licence left\nout of memory", 1)
        assert match is not None
        self.assertEqual(match.rule, MEMORY)

    def test_none(self) -> None:
        """No rule, no match."""
        self.assertIsNone(apply([], b"out of memory", 1))
        self.assertIsNone(apply([LICENCE], b"there is no licence left", 1))

    def test_success_stays(self) -> None:
        """A frame that ended well is not made to fail."""
        self.assertIsNone(apply([MEMORY], b"out of memory", 0))

    def test_any_bytes(self) -> None:
        """Output in any encoding can be searched, also for its odd bytes."""
        rule = ExitStatusRule.of("odd", "\udcff+ memory", 42)
        self.assertIsNotNone(apply([rule], b"\xff\xff memory", 1))

    def test_broken_regex(self) -> None:
        """A broken regex is told when the rule is made."""
        self.assertRaises(re.error, ExitStatusRule.of, "broken", "(", 1)
