"""What every detector of activity keeps to, and how the one that reads a file does it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rqd.system.nimby import (
    Activity,
    IActivityDetector,
    IActivityListener,
    NoDetector,
    Undetectable,
)
from rqd.system.nimby_file import PATIENCE, POLL, FileDetector, Unreadable, read_activity
from tests.host.fakes import MemoryDetector


@implementer(IActivityListener)
class Listener:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[Activity] = []

    def changed(self, activity: Activity) -> None:
        """As in ``IActivityListener``."""
        self.heard.append(activity)

    def lost(self, reason: str) -> None:
        """As in ``IActivityListener``."""
        raise AssertionError(reason)


class Contract:
    """Needs ``detector``, and ``say(activity)``, which also lets it notice."""

    detector: Any
    say: Callable[[Activity], None]

    def setUp(self) -> None:
        self.listener = Listener()
        self.make()  # type: ignore[attr-defined]

    def start(self) -> Activity:
        found: Activity = self.successResultOf(  # type: ignore[attr-defined]
            self.detector.start(self.listener)
        )
        return found

    def test_interface(self) -> None:
        """It is what it says."""
        verifyObject(IActivityDetector, self.detector)

    def test_start(self) -> None:
        """The start says what is so; the listener hears of changes alone."""
        for activity in (Activity.ACTIVE, Activity.IDLE):
            self.say(activity)
            self.assertIs(self.start(), activity)  # type: ignore[attr-defined]
            self.assertEqual(self.listener.heard, [])  # type: ignore[attr-defined]
            self.detector.stop()

    def test_changes(self) -> None:
        """Each change is told, in order."""
        self.say(Activity.IDLE)
        self.start()
        for activity in (Activity.ACTIVE, Activity.IDLE, Activity.ACTIVE):
            self.say(activity)
        self.assertEqual(  # type: ignore[attr-defined]
            self.listener.heard, [Activity.ACTIVE, Activity.IDLE, Activity.ACTIVE]
        )

    def test_stop(self) -> None:
        """Nothing is told after a stop, and stopping what doesn't run is harmless."""
        self.detector.stop()
        self.say(Activity.IDLE)
        self.start()
        self.detector.stop()
        self.detector.stop()
        self.say(Activity.ACTIVE)
        self.assertEqual(self.listener.heard, [])  # type: ignore[attr-defined]
        self.assertIs(self.start(), Activity.ACTIVE)  # type: ignore[attr-defined]


class MemoryTests(Contract, SynchronousTestCase):
    """The fake."""

    def make(self) -> None:
        self.detector = MemoryDetector()
        self.say = self.detector.say


class FileCase:
    """A file, and who looks at it."""

    def make(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())  # type: ignore[attr-defined]
        self.hanging: list[tuple[Deferred[Any], Callable[[], Any]]] | None = None
        self.detector = FileDetector(str(self.path), reactor=self.clock, in_worker=self.look)

    def look(self, function: Callable[[], Any]) -> Deferred[Any]:
        if self.hanging is None:
            return execute(function)
        waiting: Deferred[Any] = Deferred()
        self.hanging.append((waiting, function))
        return waiting

    def answer(self) -> None:
        """The file system is back."""
        assert self.hanging is not None
        hanging, self.hanging = self.hanging, None
        for waiting, function in hanging:
            execute(function).chainDeferred(waiting)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.clock.advance(POLL)

    def say(self, activity: Activity) -> None:
        self.write(activity.value)


class FileTests(FileCase, Contract, SynchronousTestCase):
    """``FileDetector``."""

    def begin(self, text: str) -> None:
        self.write(text)
        self.start()

    def undetectable(self) -> str:
        starting = self.detector.start(self.listener)
        self.clock.advance(PATIENCE)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return str(self.failureResultOf(starting, Undetectable).value)

    def test_missing(self) -> None:
        """A file that isn't there tells nothing."""
        self.assertIn("No such file", self.undetectable())

    def test_garbage(self) -> None:
        """One that says something else tells nothing."""
        for text in ("", "maybe", "active idle", "x" * 1000):
            self.path.write_text(text)
            self.assertIn("neither 'active' nor 'idle'", self.undetectable())

    def test_hanging(self) -> None:
        """One that doesn't answer tells nothing, now or when it does."""
        self.write("active")
        self.hanging = []
        self.assertIn("did not answer within 5 s", self.undetectable())
        self.answer()
        self.assertEqual(self.listener.heard, [])

    def test_stopped_while_starting(self) -> None:
        """Who is no longer wanted doesn't begin."""
        self.write("active")
        self.hanging = []
        self.detector.start(self.listener)
        self.detector.stop()
        self.answer()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_trouble(self) -> None:
        """Once it has begun, what it said last stands while it says nothing."""
        self.begin("active")
        for trouble in ("", "garbage", "acti"):
            self.write(trouble)
        os.unlink(self.path)
        self.clock.advance(POLL)
        self.assertEqual(self.listener.heard, [])
        self.write("active")
        self.write("idle")
        self.assertEqual(self.listener.heard, [Activity.IDLE])

    def test_hangs_later(self) -> None:
        """A look that hangs is the only one until it is answered."""
        self.begin("idle")
        self.hanging = []
        self.clock.pump([POLL] * 100)
        self.assertEqual(len(self.hanging), 1)
        self.path.write_text("active")
        self.answer()
        self.assertEqual(self.listener.heard, [Activity.ACTIVE])
        self.write("idle")
        self.assertEqual(self.listener.heard, [Activity.ACTIVE, Activity.IDLE])

    def test_stopped_while_it_hangs(self) -> None:
        """An answer that comes after the stop is nobody's."""
        self.begin("idle")
        self.hanging = []
        self.clock.advance(POLL)
        self.detector.stop()
        self.path.write_text("active")
        self.answer()
        self.assertEqual(self.listener.heard, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_spelling(self) -> None:
        """Case and space don't matter: people write these files with echo."""
        self.write(" Active\n")
        self.assertIs(self.start(), Activity.ACTIVE)

    def test_pipe(self) -> None:
        """What isn't a file is not waited for."""
        os.mkfifo(self.path)
        self.assertRaises(Unreadable, read_activity, str(self.path))
        self.assertRaises(Unreadable, read_activity, os.fspath(self.path.parent))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, text: bytes) -> None:
        """Whatever bytes are there, they are an activity or a sentence."""
        self.path.write_bytes(text)
        try:
            read_activity(str(self.path))
        except Unreadable as problem:
            self.assertTrue(str(problem).isprintable())


class NoDetectorTests(SynchronousTestCase):
    """Where nothing is configured."""

    def test_start(self) -> None:
        """It says which setting is missing."""
        verifyObject(IActivityDetector, NoDetector())
        failure = self.failureResultOf(NoDetector().start(Listener()), Undetectable)
        self.assertIn("machine.nimby_activity_file", str(failure.value))
        NoDetector().stop()
