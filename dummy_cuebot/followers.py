"""Frame ends as a stream, for clients of the report server that wait for a frame.

A frame's exit status leaves the agent only in the completion report, so whoever waits for it has
to ask whoever receives that. ``/dummy_cuebot.Ends/Follow`` sends each FrameCompleteReport from
the moment of the call on; its initial metadata hold a greeting once the follower is counted in, so
a client that waits for that before it launches misses nothing. The server keeps no history.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any

import grpc

SERVICE = "dummy_cuebot.Ends"
METHOD = "Follow"
PATH = f"/{SERVICE}/{METHOD}"
GREETING = ("following", "yes")
# Each follower holds one of the server's threads for as long as it follows.
MOST = 64
# Reports a follower may lag behind before it is dropped.
BACKLOG = 10_000


class Followers:
    """Everyone who follows, with what each has not taken yet. Called in gRPC's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backlogs: set[queue.Queue[Any]] = set()

    def publish(self, completion: Any) -> None:
        """Passes a completion on; a follower that can't keep up is dropped, not waited for."""
        with self._lock:
            for backlog in tuple(self._backlogs):
                try:
                    backlog.put_nowait(completion)
                except queue.Full:
                    self._backlogs.discard(backlog)

    def follow(self, request: bytes, context: Any) -> Iterator[Any]:
        """Serves one follower until it leaves, falls behind, or the server stops."""
        backlog = self._admit()
        if backlog is None:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST} follow already")
        context.add_callback(lambda: self._wake(backlog))
        context.send_initial_metadata((GREETING,))
        try:
            while context.is_active() and backlog in self._backlogs:
                completion = backlog.get()
                if completion is not None:
                    yield completion
        finally:
            with self._lock:
                self._backlogs.discard(backlog)

    def _admit(self) -> Any:
        with self._lock:
            if len(self._backlogs) >= MOST:
                return None
            backlog: queue.Queue[Any] = queue.Queue(BACKLOG)
            self._backlogs.add(backlog)
            return backlog

    def _wake(self, backlog: Any) -> None:
        """The call is over: let a thread that waits for the next completion see that."""
        with self._lock:
            self._backlogs.discard(backlog)
        with contextlib.suppress(queue.Full):  # then it isn't waiting
            backlog.put_nowait(None)
