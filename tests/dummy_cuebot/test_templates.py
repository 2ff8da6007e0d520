"""Braces in commands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.templates import fill, unknown


class Filling(SynchronousTestCase):
    def test_known_names(self) -> None:
        """Known names are replaced, unknown ones stay."""
        self.assertEqual(fill("{a}-{b}", {"a": "1"}), "1-{b}")

    def test_shell_braces(self) -> None:
        """What a shell does with braces is left alone, and isn't taken for a name."""
        for text in ("${a}", "{ a; }", "{1..3}", "{a,b}", "awk '{print $1}'", "{}"):
            self.assertEqual(fill(text, {"a": "1", "print": "2"}), text)
            self.assertEqual(unknown(text, ()), [])

    def test_values_are_not_filled_again(self) -> None:
        """Braces that come out of a value are text."""
        self.assertEqual(fill("{a}", {"a": "{b}", "b": "2"}), "{b}")

    @given(st.text(alphabet="{}$ab1 "))
    def test_all_known_leaves_none_unknown(self, text: str) -> None:
        """What ``unknown`` doesn't name, ``fill`` replaces; the rest of the text stays."""
        names = unknown(text, ())
        filled = fill(text, dict.fromkeys(names, ""))
        self.assertEqual(filled.count("$"), text.count("$"))
        if not names:
            self.assertEqual(filled, text)
