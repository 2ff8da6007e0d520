"""
The agent in the foreground: started, run and stopped in this process, and nothing else.

Twisted's own runner for Unix also keeps a pid file, changes users and, at the end, dies again of
the signal that stopped it. This one knows none of that: an agent that was asked to end and did so
in order has succeeded, so SIGTERM and SIGINT lead to exit status 0. Nothing of
C{twisted.application} is imported: it brings plugins, pickles and a debugger.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorCore
from twisted.logger import ILogObserver, globalLogBeginner

if TYPE_CHECKING:
    from rqd.agent import Agent


def run(agent: Agent, observers: Iterable[ILogObserver], *, reactor: IReactorCore) -> None:
    """
    Start the agent, run the reactor and return when it has stopped.

    Twisted's log takes the place of C{sys.stdout} and its twin meanwhile. They are given back: what
    is said last is for the terminal.
    """
    streams = sys.stdout, sys.stderr
    globalLogBeginner.beginLoggingTo(observers)
    try:
        agent.start()
        reactor.addSystemEventTrigger("before", "shutdown", agent.stop)
        reactor.run()
    finally:
        sys.stdout, sys.stderr = streams
