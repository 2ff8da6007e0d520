"""The one end of the agent, whoever asks for it, and however often."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from types import FrameType

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads

from rqd.log import Logger

SIGNALS = (signal.SIGTERM, signal.SIGINT)

_Handler = Callable[[int, FrameType | None], object]


class IEndingReactor(IReactorCore, IReactorFromThreads):
    """What is stopped, and told of signals."""


class Ending:
    """Stops the reactor once: asked again it would raise, and leave a traceback in the log.

    It stands before the reactor's own signal handlers, which twistd's runner can't do without: by
    them it knows which signal to die of.
    """

    log = Logger()

    def __init__(self, *, reactor: IEndingReactor) -> None:
        self._reactor = reactor
        self._begun = False
        self._first: Callable[[], Deferred[None]] | None = None

    def heed_signals(self, first: Callable[[], Deferred[None]] | None = None) -> None:
        """To be called once the reactor has set its handlers. What is ignored stays ignored.

        ``first`` is what has to be over before a signal takes effect; it doesn't fail.
        """
        self._first = first
        for number in SIGNALS:
            theirs = signal.getsignal(number)
            if callable(theirs):
                signal.signal(number, partial(self._signalled, theirs))

    def begin(self) -> None:
        """Stop in order; harmless during a stop."""
        if not self._begun:
            self._begun = True
            self._reactor.stop()

    def _signalled(self, theirs: _Handler, number: int, frame: FrameType | None) -> None:
        if not self._begun:
            self._begun = True
            if self._first is None:
                theirs(number, frame)
            else:
                self._reactor.callFromThread(self._after, self._first, theirs, number)
            return
        name = signal.Signals(number).name
        self._reactor.callFromThread(self.log.info, "stopping already signal={name}", name=name)

    def _after(self, first: Callable[[], Deferred[None]], theirs: _Handler, number: int) -> None:
        first().addCallback(lambda _: theirs(number, None))
