"""The seams of the logging room.

The frame room sees ``IFrameLogs`` and ``IFrameLog`` only; the in-memory twin in
``tests/logging/fakes.py`` passes the same contract tests as the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

T = TypeVar("T")


class LogUnavailable(Exception):
    """A log could not be opened; ``explanation`` (several lines) says why, for people."""

    def __init__(self, explanation: str) -> None:
        super().__init__(explanation)
        self.explanation = explanation


class IWorkers(Interface):
    """Runs blocking disk work off the reactor, so that a dead mount stalls only itself."""

    def run(path: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run ``function(*args)`` in a worker of the mount that holds ``path``."""

    def run_for(purpose: str, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run ``function(*args)`` in a worker that serves nothing but ``purpose``."""


class IWakeups(Interface):
    """Tells once when a file has been written to."""

    def arm(path: str, callback: Callable[[], None]) -> int | None:
        """Call ``callback`` once at the next write; ``None`` where the system cannot watch."""

    def disarm(token: int) -> None:
        """Forget what ``arm`` returned; harmless when it has fired."""


class IFrameLog(Interface):
    """One frame's open log. All calls on the reactor."""

    path: str = Attribute("Where the log is.")
    size: int = Attribute("Bytes of output so far, without header and stamps.")
    last_output: float = Attribute("Epoch seconds of the last output; of the opening if none.")

    def start() -> None:
        """Begin to follow the frame's output. Called once."""

    def tail(lines: int) -> Deferred[bytes]:
        """The last ``lines`` lines of the frame's raw output, at most 1 MiB of it."""

    def close(footer: bytes) -> Deferred[None]:
        """Copy what is still to come, add the footer, and be done.

        Fires when the log is complete. While the log's file system fails or hangs it stays
        pending and tries on for as long as that takes: the caller decides how long to wait.
        """

    def late() -> None:
        """Somebody does not wait for it any longer: say that it hangs, once for its mount."""

    def leave() -> None:
        """Stop following without a footer (the agent stops, the frame goes on)."""


class IDirectLog(IFrameLog):
    """The log of a frame without a spool, which writes to it itself."""

    target: str = Attribute("Path to open and append to, once the log is open, until it is closed.")


class IFrameLogs(Interface):
    """Opens frame logs."""

    def open(
        path: str,
        header: bytes,
        *,
        spool_path: str | None,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> Deferred[IFrameLog]:
        """A new log (an old one is rotated) that begins with ``header``.

        ``spool_path`` is where the frame's output goes (local disk, ``O_APPEND``); ``None`` means
        that the frame writes to the log itself. ``checkpoint_path`` (local) is ours. ``owner`` is
        the (uid, gid) that shall own the log. ``too_big`` is called once when the output passes
        the size limit. Fails with ``LogUnavailable``.
        """

    def begin(
        path: str,
        header: bytes,
        *,
        spool_path: str,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> tuple[IFrameLog, Deferred[None]]:
        """As ``open``, for a frame that shall not wait for a log folder that hangs.

        The log is there at once and may be started, so that size and times are watched; the
        Deferred says when it is open, or ``LogUnavailable``. Then a log that was not started is
        to be forgotten; one that was goes on trying until it is closed or left.
        """

    def resume(
        path: str,
        header: bytes,
        *,
        spool_path: str | None,
        checkpoint_path: str,
        owner: tuple[int, int] | None,
        too_big: Callable[[], None],
    ) -> Deferred[IFrameLog]:
        """The log of a frame that an earlier agent started. Never waits for the log's mount.

        ``header`` is for a log that the earlier agent could not open any more.
        """
