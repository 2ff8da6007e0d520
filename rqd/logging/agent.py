"""The agent's own log: text or JSON lines, written by a thread of its own.

A disk or a terminal that hangs must not hold up the reactor: lines wait in a bounded list, and
when that is full they are dropped and counted.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Protocol

from twisted.logger import ILogObserver, LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.python.logfile import LogFile
from zope.interface import implementer

if TYPE_CHECKING:
    from rqd.config.settings import LoggingSettings

#: Lines that may wait for a slow disk.
WAITING = 10_000
#: The log file is rotated at this size (bytes), and so many old ones are kept.
ROTATE_AT = 20 << 20
KEPT = 5
#: How long the end of the process waits for the last lines of its log, seconds.
LAST_LINES = 2.0

Event = dict[str, Any]


class IStream(Protocol):
    """Where lines go."""

    def write(self, data: str) -> object: ...

    def flush(self) -> object: ...


class Descriptor:
    """A stream without a buffer or a lock.

    Python empties ``sys.stdout`` when the process ends, and aborts if a thread still holds its
    lock: that of a writer whose terminal hangs. What can't be encoded is spelled out.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, data: str) -> None:
        view = memoryview(data.encode(errors="backslashreplace"))
        while view:
            view = view[os.write(self._number, view) :]

    def flush(self) -> None:
        """Nothing is kept back."""


#: How long a line may wait for others, seconds.
_GATHER = 0.1


@implementer(ILogObserver)
class LineObserver:
    """Formats events on the caller's thread and writes them on its own.

    The thread begins with the first event, which must come after ``twistd`` has forked.
    """

    def __init__(self, stream: IStream, format_line: Callable[[Event], str]) -> None:
        self._stream = stream
        self._format = format_line
        self._changed = Condition()
        self._lines: list[str] = []
        self._dropped = 0
        self._writing = False
        self._hurried = False
        self._thread: Thread | None = None

    def __call__(self, event: Event) -> None:
        line = self._format(event)
        with self._changed:
            if len(self._lines) < WAITING:
                self._lines.append(line)
            else:
                self._dropped += 1
            if len(self._lines) == 1:
                self._changed.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._write_for_ever, name="agent log", daemon=True)
                self._thread.start()

    def flush(self, patience: float) -> None:
        """Wait until all is written, at most ``patience`` seconds: for the end of the process."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._lines and not self._writing, patience)

    def _write_for_ever(self) -> None:
        while True:
            text = self._take()
            with suppress(OSError, ValueError):  # there is no place left to say so
                self._put(text)
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _put(self, text: str) -> None:
        """A character that the stream can't encode must not cost the neighbours of its line."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            self._stream.write(text.encode("ascii", "backslashreplace").decode())
        self._stream.flush()

    def _take(self) -> str:
        """Wait for a line, and a moment for those that follow it: each wake-up has its price."""
        with self._changed:
            self._changed.wait_for(lambda: self._lines)
            self._changed.wait_for(lambda: self._hurried, _GATHER)
            lines, self._lines = self._lines, []
            dropped, self._dropped = self._dropped, 0
            self._writing = True
        if dropped:
            lines.append(self._format(gap(dropped)))
        return "".join(lines)


def gap(dropped: int) -> Event:
    """What stands where lines are missing."""
    return {
        "log_level": LogLevel.warn,
        "log_namespace": __name__,
        "log_time": time.time(),
        "log_format": "lines dropped here, this log is too slow lines={lines}",
        "lines": dropped,
    }


def as_text(event: Event) -> str:
    """``TIME LEVEL NAMESPACE MESSAGE``, a traceback below where there is one."""
    level = event["log_level"].name if "log_level" in event else "info"
    return f"{_date(event)} {level:<8} {event.get('log_namespace', '-')} {message(event)}\n"


def as_json(event: Event) -> str:
    """One object a line, with the event's plain fields beside the message."""
    fields = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and isinstance(value, str | int | float | bool)
    }
    fields |= {
        "time": _date(event),
        "level": event["log_level"].name if "log_level" in event else "info",
        "namespace": event.get("log_namespace", "-"),
        "message": message(event),
    }
    return json.dumps(fields) + "\n"


def message(event: Event) -> str:
    """The event's text; continuation lines are indented, so that no text forges a line."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        text += "\n" + failure.getTraceback().rstrip()
    return text.replace("\r", "\\r").replace("\n", "\n    ")


def _date(event: Event) -> str:
    seconds = event.get("log_time", 0.0)
    moment = time.localtime(seconds)
    zone = time.strftime("%z", moment)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{int(seconds % 1 * 1000):03d}{zone}"


def to_stdout(settings: LoggingSettings) -> LineObserver:
    """The log of an agent in the foreground."""
    return LineObserver(Descriptor(sys.stdout.fileno()), as_json if settings.json else as_text)


def to_file(settings: LoggingSettings) -> LineObserver:
    """The log in ``logging.path``, rotated by size; raises OSError where it can't be opened."""
    os.makedirs(os.path.dirname(settings.path), exist_ok=True)
    stream = LogFile.fromFullPath(settings.path, rotateLength=ROTATE_AT, maxRotatedFiles=KEPT)
    return LineObserver(stream, as_json if settings.json else as_text)
