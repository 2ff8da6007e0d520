"""The most that each running frame has used, kept over a restart of the agent.

::

    <snapshots_path>/usage.json       0600, replaced as a whole: one small write for all frames;
                                      gone while no frame runs

What a frame used since the last write is lost with an agent that is killed: 10 s at most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from rqd.frame import recall
from rqd.frame.records import STATE, remove_file
from rqd.log import Logger
from rqd.logging.interfaces import IWorkers
from rqd.system.usage import FrameUsage

if TYPE_CHECKING:
    from rqd.frame.lifecycle import Frame

NAME = "usage.json"
VERSION = 1
#: Seconds between two writes.
PAUSE = 10.0

_Marks = dict[str, list[int]]
_log = Logger()


def load(folder: str) -> Mapping[str, FrameUsage]:
    """What an earlier agent saw, by key, or nothing. Blocks; raises nothing."""
    try:
        text, _ = recall.read(os.path.join(folder, NAME))
        return _decode(text)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as problem:
        _log.warn("what frames used before is lost folder={f} reason={why}", f=folder, why=problem)
        return {}


def _decode(text: bytes) -> dict[str, FrameUsage]:
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"it is not of version {VERSION}")
    frames = content.get("frames")
    if not isinstance(frames, dict):
        raise ValueError("it has no frames")
    return {key: _usage(marks) for key, marks in frames.items()}


def _usage(marks: Any) -> FrameUsage:
    if not isinstance(marks, list) or len(marks) != 4:
        raise ValueError(f"{marks!r:.40} is no usage")
    if any(type(mark) is not int or not 0 <= mark < 1 << 62 for mark in marks):
        raise ValueError(f"{marks!r:.40} is no usage")
    rss, pss, vsize, gpu = marks
    return FrameUsage(max_rss=rss, max_pss=pss, max_vsize=vsize, max_gpu=gpu)


def _save(path: str, marks: _Marks) -> None:
    """In a worker; raises OSError."""
    if not marks:
        remove_file(path)
        return
    text = json.dumps({"version": VERSION, "frames": marks}).encode()
    new = f"{path}.new"
    target = os.open(
        new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    with open(target, "wb") as file:
        file.write(text)
    os.replace(new, path)


class HighWater:
    """Writes the marks every now and then, if there is news."""

    log = Logger()

    def __init__(
        self,
        folder: str,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        frames: Callable[[], Sequence[Frame]],
    ) -> None:
        self._path = os.path.join(folder, NAME)
        self._reactor = reactor
        self._workers = workers
        self._frames = frames
        self._written: _Marks | None = None
        self._next = float("-inf")
        self._writing = False
        self._said = False

    def look(self) -> None:
        """There are new statistics."""
        if self._reactor.seconds() >= self._next or not self._frames():
            self.keep()

    def keep(self) -> Deferred[None]:
        """Write now; fires when that is done or has failed."""
        marks = {frame.key: _marks(frame.usage) for frame in self._frames()}
        if self._writing or marks == self._written:
            return succeed(None)
        if marks:
            self._next = self._reactor.seconds() + PAUSE
        self._writing = True
        saved = self._workers.run_for(STATE, _save, self._path, marks)
        return saved.addCallbacks(self._saved, self._failed, callbackArgs=(marks,))

    def _saved(self, _: None, marks: _Marks) -> None:
        self._written = marks
        self._writing = self._said = False

    def _failed(self, failure: Failure) -> None:
        self._writing = False
        if not self._said:
            self._said = True
            self.log.error("what frames used would not survive a restart {why}", why=failure.value)


def _marks(usage: FrameUsage) -> list[int]:
    return [usage.max_rss, usage.max_pss, usage.max_vsize, usage.max_gpu]
