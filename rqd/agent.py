"""The agent as its runners see it: it starts or says why it can't, and it stops.

``rqd.service`` and all that it is made of is imported by the start and not before: gRPC is among
it, and ``twistd`` has forked by then.
"""

from __future__ import annotations

import atexit
import gc
import os
import platform
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.logger import globalLogPublisher

from rqd import __version__
from rqd.config import Loaded
from rqd.grpc_import import load_grpc
from rqd.holding import Held, StateFolder
from rqd.log import Logger
from rqd.logging import agent as agent_log

if TYPE_CHECKING:
    from rqd.assembly.ground import IAgentReactor
    from rqd.service import Assembly


class CannotStart(SystemExit, Exception):
    """The agent can't serve; the sentence says why, and is all that a person gets to see.

    A SystemExit, so that no runner prints a traceback and the exit status is 1. An Exception too,
    because twistd removes its pid file, and a detaching one tells its caller why, only for those.
    """


class Agent:
    """The agent as its runners see it: nothing until it is started, then an ``Assembly``."""

    log = Logger()

    def __init__(
        self, loaded: Loaded, *, reactor: IAgentReactor, umask: int, load: Callable[[], Loaded]
    ) -> None:
        """``load`` reads the configuration again; it blocks on the disk."""
        self._settings = loaded.settings
        self._reactor = reactor
        self._umask = umask
        self._warnings = loaded.warnings
        self._load = load
        self._assembly: Assembly | None = None
        self._state: StateFolder | None = None
        self._flush_log: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Assemble and serve; raises CannotStart where that can't be."""
        from rqd.servant.server import CannotListen

        try:
            self._state = StateFolder(self._settings.runner.snapshots_path)
            self._log_to_file()
            self.log.info(
                "starting openrqd={version} python={python}",
                version=__version__,
                python=platform.python_version(),
                host_event="start",
            )
            for warning in self._warnings:
                self.log.warn("configuration: {sentence}", sentence=warning)
            if self._state.problem:
                self.log.warn("{sentence}", sentence=self._state.problem)
            self._assembly = self._assemble()
            self._assembly.start()
        except (OSError, ValueError, CannotListen, Held) as problem:
            self.log.critical("can't start: {problem}", problem=problem)
            if socket := os.environ.get("NOTIFY_SOCKET"):
                from rqd.systemd.notify import say_last

                say_last(socket, f"can't start: {problem}")
            self._flush_log()
            self._release_state()
            raise CannotStart(f"openrqd: {problem}") from problem
        gc.freeze()  # what is there by now lives as long as the agent: no collection need see it
        gc.enable()

    def _assemble(self) -> Assembly:
        load_grpc()  # before any module that imports it by itself
        from rqd.service import Assembly

        return Assembly(self._settings, reactor=self._reactor, umask=self._umask, load=self._load)

    def _log_to_file(self) -> None:
        """Log to the file, if there is to be one, to the last line; raises OSError."""
        if not self._settings.logging.file_appender:
            return
        file = agent_log.to_file(self._settings.logging)
        self._flush_log = partial(file.flush, agent_log.LAST_LINES)
        globalLogPublisher.addObserver(file)
        atexit.register(self._flush_log)
        # Under twistd the process dies of its signal afterwards, without any other chance.
        self._reactor.addSystemEventTrigger("after", "shutdown", self._flush_log)

    def stop(self) -> Deferred[None]:
        """Fires, within a bounded time, once all of it has ended."""
        if self._assembly is None:
            return succeed(None)
        return Deferred.fromCoroutine(self._stop(self._assembly))

    async def _stop(self, assembly: Assembly) -> None:
        try:
            await assembly.stop()
        finally:
            self._release_state()

    def _release_state(self) -> None:
        """Let the next agent have the state folder."""
        state, self._state = self._state, None
        if state is not None:
            state.release()
