"""Being told by inotify that a spool was written to.

A quiet frame costs one kernel watch and no descriptor. Watches fire once and are armed again when
the log has caught up, so that a talkative frame causes no flood of events. (Twisted's own INotify
has no one-shot watches and closes itself when a watched file is deleted.)
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from rqd.log import Logger
from rqd.logging.interfaces import IWakeups

_MODIFY, _IGNORED, _OVERFLOW, _ONESHOT = 0x2, 0x8000, 0x4000, 0x80000000
_EVENT = struct.Struct("=iIII")
_libc = ctypes.CDLL(None, use_errno=True)


@implementer(IReadDescriptor, IWakeups)
class Wakeups:
    """All watches of the agent, on one descriptor that is opened when first needed."""

    log = Logger()

    def __init__(self, *, reactor: IReactorFDSet) -> None:
        self._reactor = reactor
        self._descriptor = -1
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._complained = False

    def arm(self, path: str, callback: Callable[[], None]) -> int | None:
        """Call ``callback`` once at the next write to ``path``; ``None`` if that can't be had."""
        try:
            if self._descriptor < 0:
                self._open()
            token = _checked(
                _libc.inotify_add_watch(
                    self._descriptor, os.fsencode(path), ctypes.c_uint32(_MODIFY | _ONESHOT)
                )
            )
        except OSError as error:
            self._complain(error)
            return None
        self._callbacks[token] = callback
        return token

    def disarm(self, token: int) -> None:
        """Forget the watch ``token``; harmless when it has fired."""
        if self._callbacks.pop(token, None) is not None:
            _libc.inotify_rm_watch(self._descriptor, token)

    def stop(self) -> None:
        """Close the descriptor; no callback is called any more."""
        self._callbacks.clear()
        if self._descriptor >= 0:
            self._reactor.removeReader(self)
            os.close(self._descriptor)
            self._descriptor = -1

    def fileno(self) -> int:
        """For the reactor."""
        return self._descriptor

    def logPrefix(self) -> str:
        """For the reactor."""
        return "wakeups"

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, or could not read."""
        self.stop()

    def doRead(self) -> None:
        """Call those whose files were written to."""
        try:
            events = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            token, mask, _, name = _EVENT.unpack_from(events, at)
            at += _EVENT.size + name
            if mask & _OVERFLOW:
                self._call_all()
            elif not mask & _IGNORED:
                self._call(token)

    def _open(self) -> None:
        self._descriptor = _checked(_libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        self._reactor.addReader(self)

    def _call_all(self) -> None:
        for token in list(self._callbacks):
            self._call(token)

    def _call(self, token: int) -> None:
        callback = self._callbacks.pop(token, None)
        if callback is not None:
            try:
                callback()
            except Exception:  # one log's trouble must not keep the others asleep
                self.log.failure("log follower failed at a wake-up")

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            self.log.warn(
                "inotify is not to be had, frame logs are polled instead error={error}",
                error=str(error),
            )


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
