"""The raw results of a run: one line of JSON for each measure, agent and round."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import TITLES

FLOOR = "floor"
"""The name under which what the driver itself costs is recorded, beside the agents'."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one round of one measure: figures, or why there are none."""

    measure: str
    agent: str
    round: int
    figures: Mapping[str, Any]
    error: str
    seconds: float
    attempt: int = 1
    """2 where the measure was taken once more because a row of it fell short."""


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run: where it was made, at what scale, and what came of it."""

    about: Mapping[str, Any]
    scale: Mapping[str, Any]
    results: tuple[Result, ...]

    def measures(self) -> list[str]:
        """The measures that were asked for; in the usual order, and each with its rows."""
        asked = self.about.get("measures")
        found = {result.measure for result in self.results}
        return [name for name in TITLES if name in (found if asked is None else asked)]

    def agents(self) -> list[str]:
        """The agents that were measured, in their usual order."""
        return list(self.about["agents"])


class Record:
    """The file of a run that is being made; each line is written when it is known."""

    def __init__(self, path: Path, about: Mapping[str, Any], scale: Mapping[str, Any]) -> None:
        self._file = path.open("x", encoding="utf-8", buffering=1)
        self._write({"about": about, "scale": scale})

    def add(self, result: Result) -> None:
        """Keep a result."""
        self._write(asdict(result))

    def close(self) -> None:
        """Whoever made the record closes it."""
        self._file.close()

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")


def read_run(path: Path) -> Run:
    """Read a run's file."""
    with open(path, encoding="utf-8") as lines:
        first = json.loads(next(lines))
        return Run(first["about"], first["scale"], tuple(_results(lines)))


def _results(lines: Iterator[str]) -> Iterator[Result]:
    return (Result(**json.loads(line)) for line in lines)
