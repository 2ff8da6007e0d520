"""The end of the agent begins once."""

from __future__ import annotations

import signal
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rqd.ending import SIGNALS, Ending


class EndingReactor(MemoryReactorClock):
    """One that counts its stops, and hears of signals as the real one does."""

    stops = 0

    def stop(self) -> None:
        self.stops += 1

    def callFromThread(
        self, call: Callable[..., object], *args: object, **keywords: object
    ) -> None:
        self.callLater(0, call, *args, **keywords)

    def handler(self, _number: int, _frame: object) -> None:
        self.callFromThread(self.stop)


class EndingTests(SynchronousTestCase):
    """L{Ending}, with real signals."""

    def setUp(self) -> None:
        self.reactor = EndingReactor()
        for number in SIGNALS:
            self.addCleanup(signal.signal, number, signal.getsignal(number))
            signal.signal(number, self.reactor.handler)
        self.ending = Ending(reactor=self.reactor)
        self.ending.heed_signals()

    def stops(self) -> int:
        """Stops so far, once all is done that signals have left to do."""
        self.reactor.advance(0)
        return self.reactor.stops

    def test_signal(self) -> None:
        """Each signal gets to the reactor."""
        for number in SIGNALS:
            self.setUp()
            signal.raise_signal(number)
            self.assertEqual(self.stops(), 1)

    def test_signals(self) -> None:
        """Of several only the first does, also where they come at once."""
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        self.assertEqual(self.stops(), 1)
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.stops(), 1)

    def test_signal_after_call(self) -> None:
        """A signal adds nothing to an end that was asked for by a call."""
        self.ending.begin()
        signal.raise_signal(signal.SIGTERM)
        self.assertEqual(self.stops(), 1)

    def test_call_after_signal(self) -> None:
        """Nor does a call to one that a signal began, nor another call."""
        signal.raise_signal(signal.SIGTERM)
        self.ending.begin()
        self.ending.begin()
        self.assertEqual(self.stops(), 1)

    def test_ignored(self) -> None:
        """A signal that is ignored, as SIGINT is in the background of some shells, stays so."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Ending(reactor=self.reactor).heed_signals()
        self.assertEqual(signal.getsignal(signal.SIGINT), signal.SIG_IGN)

    def test_first(self) -> None:
        """Where something has to be over first, a signal waits for that, and is not lost."""
        first: Deferred[None] = Deferred()
        for number in SIGNALS:
            signal.signal(number, self.reactor.handler)
        self.ending.heed_signals(lambda: first)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        self.ending.begin()
        self.assertEqual(self.stops(), 0)
        first.callback(None)
        self.assertEqual(self.stops(), 1)
