"""Which frames of a job may run, run, and have ended how. Pure: no clock, no hosts, no network."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from dummy_cuebot.ids import new_id
from dummy_cuebot.job import Job, Layer

# The exit status of a frame that made way for the workstation's user: it spends no retry.
NIMBY_KILL = 286


class State(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "as expected"
    DEAD = "not as expected"


@dataclass(eq=False, slots=True)
class Frame:
    """One frame and its fate so far; ``why`` explains a DEAD one. The id stays over retries."""

    layer: Layer
    number: int
    retries_left: int
    state: State = State.WAITING
    why: str = ""
    frame_id: str = field(default_factory=new_id)

    @property
    def name(self) -> str:
        return f"{self.number:04d}-{self.layer.name}"


@dataclass(eq=False, slots=True)
class _Queue:
    """A layer's frames: those that wait, in order, and how many aren't done."""

    layer: Layer
    frames: list[Frame]
    waiting: deque[Frame] = field(init=False)
    undone: int = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = deque(self.frames)
        self.undone = len(self.frames)


class Schedule:
    """The frames of one run of ``job``. A layer opens once those before it are wholly done."""

    def __init__(self, job: Job) -> None:
        self._queues = {layer.name: _Queue(layer, _frames(layer)) for layer in job.layers}
        self.total = len(self.frames)
        self.running = 0
        self.ended_for_good = 0

    @property
    def frames(self) -> list[Frame]:
        return [frame for queue in self._queues.values() for frame in queue.frames]

    @property
    def finished(self) -> bool:
        """Nothing runs and nothing can: done, or stuck behind a dead frame."""
        return not self.running and not any(True for _ in self.open_layers())

    def open_layers(self) -> Iterator[Layer]:
        """The layers with a frame that may start now, in the order of the file."""
        for queue in self._queues.values():
            if queue.waiting and not any(self._queues[name].undone for name in queue.layer.after):
                yield queue.layer

    def waiting(self, layer: Layer) -> int:
        return len(self._queues[layer.name].waiting)

    def start(self, layer: Layer) -> Frame:
        """Takes the next waiting frame of an open layer."""
        frame = self._queues[layer.name].waiting.popleft()
        frame.state = State.RUNNING
        self.running += 1
        return frame

    def put_back(self, frame: Frame) -> None:
        """The frame never started; it is the next of its layer again."""
        self.running -= 1
        frame.state = State.WAITING
        self._queues[frame.layer.name].waiting.appendleft(frame)

    def ended(self, frame: Frame, exit_status: int, exit_signal: int, max_rss: int) -> State:
        """A running frame's end, as reported; it is WAITING again where a retry is due."""
        why = frame.layer.expect.mismatch(exit_status, exit_signal, max_rss)
        if not why:
            self._settle(frame, State.DONE)
            self._queues[frame.layer.name].undone -= 1
        elif exit_status == NIMBY_KILL or self._spend_retry(frame):
            self.put_back(frame)
        else:
            self.give_up(frame, why)
        return frame.state

    def give_up(self, frame: Frame, why: str) -> None:
        """A running frame won't be tried again."""
        self._settle(frame, State.DEAD)
        frame.why = why

    def _settle(self, frame: Frame, state: State) -> None:
        self.running -= 1
        self.ended_for_good += 1
        frame.state = state

    def _spend_retry(self, frame: Frame) -> bool:
        due = frame.retries_left > 0
        frame.retries_left -= due
        return due


def _frames(layer: Layer) -> list[Frame]:
    return [Frame(layer, number, layer.retries) for number in layer.numbers]
