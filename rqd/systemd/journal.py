"""The agent's log as entries of systemd's journal, with fields.

``journalctl OPENRQD_FRAME_ID=…`` finds all about a frame. The journal's own protocol is a datagram
of ``NAME=value`` lines, or of a length and the bytes where a value has line breaks: a few lines of
code, where python3-systemd would be one more package for a log that has to work without it.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from rqd.logging.agent import gap, message

SOCKET = "/run/systemd/journal/socket"
#: Characters of a value that are kept: a datagram has to fit into the socket's buffer (208 KiB).
LONGEST = 16 << 10
_PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
_NAME = re.compile(r"(?!log_)[a-z][a-z0-9_]{0,40}", re.ASCII)

Event = dict[str, Any]


def is_ours(environ: Mapping[str, str], descriptor: int) -> bool:
    """Whether the journal reads ``descriptor``: else somebody else wants to see the log there."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        facts = os.fstat(descriptor)
    except OSError:
        return False
    return (device, inode) == (str(facts.st_dev), str(facts.st_ino))


@implementer(ILogObserver)
class Journal:
    """Sends each event at once, on the caller's thread, and waits for nothing.

    What the journal doesn't take is dropped and counted; the next entry that it takes is preceded
    by one that says how many are missing.
    """

    def __init__(self, path: str = SOCKET) -> None:
        """Raises OSError where there is no journal."""
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.connect(path)
        self._dropped = 0

    def __call__(self, event: Event) -> None:
        if self._dropped and self._takes(gap(self._dropped)):
            self._dropped = 0
        if not self._takes(event):
            self._dropped += 1

    def flush(self, patience: float) -> None:
        """Nothing is kept back."""

    def _takes(self, event: Event) -> bool:
        try:
            self._socket.send(b"".join(entry(event)))
        except OSError:
            return False
        return True


def entry(event: Event) -> Iterator[bytes]:
    """The fields of an event, as the journal reads them."""
    yield _field("MESSAGE", message(event))
    yield _field("PRIORITY", str(_PRIORITIES.get(event.get("log_level", LogLevel.info), 6)))
    yield _field("SYSLOG_IDENTIFIER", "openrqd")
    yield _field("OPENRQD_LOGGER", str(event.get("log_namespace", "-")))
    for name, value in event.items():
        if isinstance(value, str | int | float) and _NAME.fullmatch(name):
            yield _field(f"OPENRQD_{name.upper()}", str(value))


def _field(name: str, value: str) -> bytes:
    text = value[:LONGEST].encode(errors="backslashreplace")
    if b"\n" not in text:
        return b"%s=%s\n" % (name.encode(), text)
    return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(text)), text)
