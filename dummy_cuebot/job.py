"""A job as data: layers of frames, what each needs, and how it is to end. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dummy_cuebot.rendering import outcome, size


@dataclass(frozen=True, slots=True)
class Expectation:
    """How a frame is to end. A status of None is any; ``max_rss`` (KiB) is the least it used."""

    exit_status: int | None = 0
    exit_signal: int = 0
    max_rss: int = 0

    def mismatch(self, exit_status: int, exit_signal: int, max_rss: int) -> str:
        """Why an end isn't the expected one; empty if it is."""
        wrong_status = self.exit_status not in (None, exit_status)
        wrong_signal = self.exit_signal != exit_signal
        if wrong_status or wrong_signal:
            return f"{outcome(exit_status, exit_signal)}, expected {self}"
        if max_rss < self.max_rss:
            return f"max rss {size(max_rss)}, expected {size(self.max_rss)} or more"
        return ""

    def __str__(self) -> str:
        if self.exit_status is None:
            return f"signal {self.exit_signal}"
        return outcome(self.exit_status, self.exit_signal)


@dataclass(frozen=True, slots=True)
class Layer:
    """Frames that run the same command, each over ``chunk`` numbers of the range.

    ``cores`` in points (100 = one), ``memory`` in KiB, ``kill_after`` in seconds from the launch.
    ``command`` still has the braces of a frame in it; ``after`` names the layers before it.
    """

    name: str
    first: int
    last: int
    chunk: int
    cores: int
    memory: int
    threadable: bool
    retries: int
    after: tuple[str, ...]
    environment: Mapping[str, str]
    command: str
    kill_after: float | None
    expect: Expectation

    @property
    def numbers(self) -> range:
        """The first number of each frame."""
        return range(self.first, self.last + 1, self.chunk)


@dataclass(frozen=True, slots=True)
class Job:
    name: str
    show: str
    shot: str
    user: str
    uid: int
    log_root: str
    layers: tuple[Layer, ...]
