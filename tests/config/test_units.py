"""Durations and sizes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.units import (
    LARGEST_SIZE,
    LONGEST_DURATION,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


class DurationTests(SynchronousTestCase):
    """L{parse_duration} and L{format_duration}."""

    def test_units(self) -> None:
        """Each unit is worth its seconds, and units add up."""
        cases = {
            "10ms": 0.01,
            "250us": 0.00025,
            "5s": 5.0,
            "2m": 120.0,
            "1h30m": 5400.0,
            "1h 30m": 5400.0,
            "1.5h": 5400.0,
            " 900s ": 900.0,
            "1d": 86400.0,
            "15min": 900.0,
            "2 hours": 7200.0,
            "0s": 0.0,
        }
        self.assertEqual({text: parse_duration(text) for text in cases}, cases)

    def test_plain_numbers(self) -> None:
        """A number without a unit is seconds, as text or not."""
        self.assertEqual(
            [parse_duration(each) for each in (0, "0", 7, "7", 0.25, "0.25", "1e-3", ".5")],
            [0, 0, 7, 7, 0.25, 0.25, 0.001, 0.5],
        )

    def test_nonsense(self) -> None:
        """Anything else is refused with examples of what is right."""
        value: object
        for value in (
            *("", " ", "abc", "5 parsecs", "-5s", "s", "5s5", "1h-", "nan", "inf", "1_000", "٣s"),
            *(-1, float("nan"), float("inf"), -0.5, 10**400, True, None, [], {}, b"5s", "1" * 500),
        ):
            caught = self.assertRaises(ValueError, parse_duration, value)
            self.assertEqual(
                str(caught), "expected a duration such as 10ms, 5s, 2m or 1h30m", repr(value)
            )

    def test_too_long(self) -> None:
        """A duration beyond all reason is refused, however it is written."""
        for value in ("3651d", LONGEST_DURATION + 1, "1e99"):
            caught = self.assertRaises(ValueError, parse_duration, value)
            self.assertEqual(str(caught), "expected a duration of at most 3650d")

    def test_written_shortly(self) -> None:
        """Durations are written as a person would."""
        cases = {5400.0: "1h30m", 0.01: "10ms", 60: "1m", 1.5: "1s500ms", 0: "0s", 0.00025: "250us"}
        self.assertEqual({value: format_duration(value) for value in cases}, cases)

    @given(st.floats(min_value=0, max_value=LONGEST_DURATION, allow_nan=False))
    @settings(deadline=None)
    def test_round_trip(self, seconds: float) -> None:
        """What is written is read back as the very same number, for any number."""
        self.assertEqual(parse_duration(format_duration(seconds)), seconds)

    @given(st.integers(min_value=0, max_value=LONGEST_DURATION * 1000))
    @settings(deadline=None)
    def test_milliseconds_round_trip(self, milliseconds: int) -> None:
        """Whole milliseconds are written in units and read back exactly."""
        text = format_duration(milliseconds / 1000)
        self.assertRegex(text, r"\A([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?\Z")
        self.assertEqual(parse_duration(text), milliseconds / 1000)

    @given(st.text())
    @settings(deadline=None)
    def test_any_text(self, text: str) -> None:
        """Any text is a duration or a C{ValueError}."""
        try:
            self.assertGreaterEqual(parse_duration(text), 0)
        except ValueError as problem:
            self.assertIn("expected a duration", str(problem))


class SizeTests(SynchronousTestCase):
    """L{parse_size} and L{format_size}."""

    def test_units(self) -> None:
        """Decimal and binary units differ, the case of letters does not matter."""
        cases = {
            "2GB": 2 * 10**9,
            "2Gb": 2 * 10**9,
            "2g": 2 * 10**9,
            "512MiB": 512 * 2**20,
            "4096MB": 4096 * 10**6,
            "1.5 KiB": 1536,
            "1kB": 1000,
            "1TiB": 2**40,
            "12": 12,
            "12B": 12,
            "12 bytes": 12,
            "0": 0,
        }
        self.assertEqual({text: parse_size(text) for text in cases}, cases)
        self.assertEqual(parse_size(1024), 1024)

    def test_nonsense(self) -> None:
        """Anything else is refused with examples of what is right; half a byte, too."""
        value: object
        for value in (
            *("", "abc", "2XB", "-1", "1.5", "1.0001KB", "GB", "٣", "1e3", "²", "9" * 500),
            *(-1, 1.5, float("nan"), True, None, [], {}),
        ):
            caught = self.assertRaises(ValueError, parse_size, value)
            self.assertEqual(
                str(caught),
                "expected a size such as 2GB, 512MiB or a number of bytes",
                repr(value),
            )

    def test_too_large(self) -> None:
        """What 64 bits can't hold is refused."""
        self.assertEqual(parse_size(LARGEST_SIZE), LARGEST_SIZE)
        for value in ("8EiB", LARGEST_SIZE + 1):
            caught = self.assertRaises(ValueError, parse_size, value)
            self.assertEqual(str(caught), "expected a size below 8EiB")

    def test_written_shortly(self) -> None:
        """Sizes are written in the largest unit that needs no fraction."""
        cases = {0: "0", 2**30: "1GiB", 2 * 10**9: "2GB", 1536: "1536", 1000: "1KB"}
        self.assertEqual({value: format_size(value) for value in cases}, cases)

    @given(
        st.integers(min_value=0, max_value=LARGEST_SIZE)
        | st.builds(
            lambda count, power: min(count * 1024**power, LARGEST_SIZE),
            st.integers(0, 5000),
            st.integers(0, 6),
        )
    )
    @settings(deadline=None)
    def test_round_trip(self, size: int) -> None:
        """What is written is read back as the very same number."""
        self.assertEqual(parse_size(format_size(size)), size)

    @given(st.text())
    @settings(deadline=None)
    def test_any_text(self, text: str) -> None:
        """Any text is a size or a C{ValueError}."""
        try:
            self.assertGreaterEqual(parse_size(text), 0)
        except ValueError as problem:
            self.assertIn("expected a size", str(problem))
