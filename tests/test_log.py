"""The threshold in front of the agent's logger."""

from __future__ import annotations

from typing import Any

from twisted.logger import InvalidLogLevelError, LogLevel, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rqd.log import Logger, set_threshold

LEVELS = ("debug", "info", "warn", "error", "critical")


class Part:
    """Has a class-level logger, as parts of the agent do."""

    log = Logger()


class LoggerTests(SynchronousTestCase):
    """L{Logger} and L{set_threshold}."""

    def setUp(self) -> None:
        self.addCleanup(set_threshold, "info")
        self.events: list[dict[str, Any]] = []
        self.log = Logger("test", observer=LogPublisher(self.events.append))  # type: ignore[arg-type]

    def passing(self) -> list[str]:
        """The levels that pass."""
        self.events.clear()
        for level in LEVELS:
            getattr(self.log, level)("a number={number}", number=1)
        return [event["log_level"].name for event in self.events]

    def test_every_threshold(self) -> None:
        """What is below the threshold is not handed on, what is on it or above is."""
        for index, level in enumerate(LEVELS):
            set_threshold(level)
            self.assertEqual(self.passing(), list(LEVELS[index:]))

    def test_unknown_level(self) -> None:
        """A level that doesn't exist is refused, and the threshold stays."""
        set_threshold("error")
        self.assertRaises(InvalidLogLevelError, set_threshold, "loud")
        self.assertEqual(self.passing(), ["error", "critical"])

    def test_fields(self) -> None:
        """Events keep their template and their fields."""
        self.log.info("a number={number}", number=1)
        self.assertEqual(formatEvent(self.events[0]), "a number=1")  # type: ignore[arg-type]
        self.assertEqual(self.events[0]["number"], 1)

    def test_failure(self) -> None:
        """A failure passes every threshold, with its traceback."""
        set_threshold("critical")
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            self.log.failure("it broke")
        self.assertIsInstance(self.events[0]["log_failure"].value, ZeroDivisionError)
        self.assertIs(self.events[0]["log_level"], LogLevel.critical)

    def test_class_level(self) -> None:
        """A logger of a class is named by its module and class, and keeps the threshold."""
        self.assertIsInstance(Part().log, Logger)
        self.assertEqual(Part.log.namespace, f"{__name__}.Part")
