"""
The agent in the foreground: twistd's runner without what only a daemon needs.

Twisted's own runner for Unix also keeps a pid file, changes users and, at the end, dies again of
the signal that stopped it. This one knows none of that: an agent that was asked to end and did so
in order has succeeded, so SIGTERM and SIGINT lead to exit status 0.
"""

from __future__ import annotations

import sys

from twisted.application import app


class Foreground(app.ApplicationRunner):
    """Starts the service, runs the reactor in this process and returns when it has stopped."""

    def preApplication(self) -> None:
        """Keep the real streams: Twisted's log takes the place of C{sys.stdout} and its twin."""
        self._streams = sys.stdout, sys.stderr

    def postApplication(self) -> None:
        """Run, then give the streams back: what is said last is for the terminal."""
        try:
            app.startApplication(self.application, False)
            self.startReactor(None, *self._streams)
        finally:
            sys.stdout, sys.stderr = self._streams
