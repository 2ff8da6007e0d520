"""Learning how launched frames ended, from the report server that their agent reports to.

The subscription is confirmed before the first launch, so no end is missed. A frame that the
agent no longer knows, and whose end still doesn't come, is given up after a while: then the agent
reports elsewhere, or is gone.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import grpc

from dummy_cuebot import followers
from dummy_cuebot.addresses import CHANNEL_OPTIONS
from dummy_cuebot.errors import Problem
from rqd.proto import report_pb2

# Seconds between two looks at a silent frame.
LOOK_EVERY = 5.0
# How long the end of a frame that no longer runs may take to come, in seconds: several of the
# agent's own retries.
PATIENCE = 60.0


def exit_code(exit_status: int, exit_signal: int) -> int:
    """A frame's end as this program's own: 128 + n for signal n, and 255 for what doesn't fit."""
    return min(128 + exit_signal if exit_signal else exit_status, 255)


class Ends:
    """The ends of frames as they come. Subscribed once constructed; ``close`` it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        follow: Any = self._channel.unary_stream(
            followers.PATH, response_deserializer=report_pb2.FrameCompleteReport.FromString
        )
        self._stream = follow(b"")
        self._arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._subscribe()
        threading.Thread(target=self._receive, name="frame ends", daemon=True).start()

    def wait(
        self,
        resource_ids: Iterable[str],
        alive: Callable[[str], bool],
        ended: Callable[[Any], None],
        patience: float = PATIENCE,
    ) -> None:
        """Calls ``ended`` with the completion of each launch, then returns.

        ``alive`` asks the agent for a launch; Problem is raised when none that is left is alive
        and no end came for ``patience`` seconds.
        """
        left = set(resource_ids)
        hopeless_at = time.monotonic() + patience
        while left:
            completion = self._next(min(LOOK_EVERY, patience))
            if completion is not None:
                if completion.frame.resource_id in left:
                    left.discard(completion.frame.resource_id)
                    ended(completion)
                hopeless_at = time.monotonic() + patience
            elif any(map(alive, left)):
                hopeless_at = time.monotonic() + patience
            elif time.monotonic() >= hopeless_at:
                self._give_up(left)

    def close(self) -> None:
        self._stream.cancel()
        self._channel.close()

    def _subscribe(self) -> None:
        # Metadata come once the server counts us in, or, without the greeting, when it can't.
        if followers.GREETING not in map(tuple, self._stream.initial_metadata()):
            self._stream.cancel()
            self._channel.close()
            raise Problem(
                f"no frame ends from {self._address}: --wait needs the `dummy-cuebot"
                " report-server` (or run-job) that the agent reports to, see --report-server"
            )

    def _receive(self) -> None:
        try:
            for completion in self._stream:
                self._arrived.put(completion)
        except grpc.RpcError:
            pass
        self._arrived.put(None)

    def _next(self, seconds: float) -> Any:
        """The next completion; None after ``seconds`` without one."""
        try:
            completion = self._arrived.get(timeout=seconds)
        except queue.Empty:
            return None
        if completion is None:
            raise Problem(f"the report server at {self._address} went away while we waited")
        return completion

    def _give_up(self, left: set[str]) -> None:
        raise Problem(
            f"{len(left)} frames no longer run, but their end never came to {self._address}:"
            " does their agent report there?"
        )
