"""The driver's side of the cuebot peer: what was reported, and waiting for it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.places import TREE

Report = dict[str, Any]


class Cuebot:
    """A running peer. Lists only grow; a reader thread fills them, so read them after waiting."""

    def __init__(self) -> None:
        """Start the peer; whoever creates it calls `stop`."""
        self.completions: dict[str, list[Report]] = {}
        self.startups: list[Report] = []
        self.statuses: list[Report] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cuebot_peer"],
            cwd=TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        if not first:
            raise RuntimeError("the cuebot peer did not start")
        self.port = int(json.loads(first)["port"])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            with self._changed:
                self._note(report)
                self._changed.notify_all()

    def _note(self, report: Report) -> None:
        if report["method"] == "ReportRqdStartup":
            self.startups.append(report)
        elif report["method"] == "ReportStatus":
            self.statuses.append(report)
        else:
            self.completions.setdefault(report["frame_id"], []).append(report)

    def wait(self, wanted: Callable[[], bool], timeout: float) -> bool:
        """Wait until something is true of the reports; False if it never became so."""
        with self._changed:
            return self._changed.wait_for(wanted, timeout)

    def wait_completion(self, frame_id: str, timeout: float) -> Report | None:
        """The first completion of a frame, None if none came in time."""
        self.wait(lambda: frame_id in self.completions, timeout)
        return self.completions.get(frame_id, [None])[0]

    def wait_completions(self, frame_ids: Iterable[str], timeout: float) -> bool:
        """Wait until each of the frames has completed."""
        wanted = set(frame_ids)
        return self.wait(lambda: wanted <= self.completions.keys(), timeout)

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Let each completion wait that long for its answer meanwhile."""
        self._say(seconds)
        try:
            yield
        finally:
            self._say(0)

    def _say(self, seconds: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        """End the peer."""
        assert self._process.stdin is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._process.stdin.close()
