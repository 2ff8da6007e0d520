"""Who launches frames and kills them, as a Cuebot would."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc

from rqd.proto import rqd_pb2
from tests.chaos.agents import Agents
from tests.chaos.checker import OK, UNSURE, Launch
from tests.chaos.cuebot import ChaosCuebot
from tests.chaos.frames import Frame, pinned_probe
from tests.chaos.storage import Storage

#: As Cuebot has it, seconds.
_DEADLINE = 10.0
#: Threads that launch.
_CLIENTS = 6
#: Frames that may be without an end at the same time, so that most fit.
_AT_ONCE = 50
#: Seconds after which a frame that was killed and goes on is killed again.
_AGAIN = 2.0


class Farm:
    """Launches the frames of a plan until told to stop; kills those that are to be killed."""

    def __init__(
        self,
        plan: Iterator[Frame],
        agents: Agents,
        cuebot: ChaosCuebot,
        storage: Storage,
        *,
        prelude: Path,
        rate: float,
    ) -> None:
        self._plan = plan
        self._agents = agents
        self._cuebot = cuebot
        self._storage = storage
        self._prelude = str(prelude)
        self._pause = 1 / rate
        self._next = time.monotonic()
        self._lock = threading.Lock()
        self._victims: list[tuple[float, int, Launch]] = []
        self._order = itertools.count()
        self._stopped, self._over = threading.Event(), threading.Event()
        self.launches: list[Launch] = []
        self.accepted = 0
        self._clients = [threading.Thread(target=self._launch_on) for _ in range(_CLIENTS)]
        self._killer = threading.Thread(target=self._kill_on)

    def start(self) -> None:
        for thread in (*self._clients, self._killer):
            thread.start()

    def stop(self) -> None:
        """Launch no more; those that must be killed still are."""
        self._stopped.set()
        for client in self._clients:
            if client.ident is not None:
                client.join()

    def close(self) -> None:
        """Kill no more."""
        self._over.set()
        if self._killer.ident is not None:
            self._killer.join()

    @property
    def unended(self) -> list[Launch]:
        """Frames whose launch was answered OK, and of whose end Cuebot hasn't heard."""
        launches = [launch for launch in self.launches if launch.answer == OK]
        return [launch for launch in launches if not self._cuebot.has(launch.frame.key)]

    def probe(self, number: int) -> list[Launch]:
        """Launch so many frames that want a processor each, all at once."""
        frames = [pinned_probe(f"p{index:05d}") for index in range(number)]
        probes = [Launch(frame) for frame in frames]
        self.launches += probes
        for launch in probes:
            self._launch(launch)
        return probes

    # -- launching -------------------------------------------------------------------------------

    def _launch_on(self) -> None:
        while not self._stopped.is_set():
            if self._agents.serving.wait(0.2) and self._is_room():
                self._launch(self._take())

    def _is_room(self) -> bool:
        if self.accepted - self._cuebot.taken < 4 * _AT_ONCE:
            return True
        self._stopped.wait(0.05)
        return False

    def _take(self) -> Launch:
        """The next frame, at its time."""
        with self._lock:
            launch = Launch(next(self._plan))
            self.launches.append(launch)
            self._next = max(self._next + self._pause, time.monotonic() - 1.0)
            at = self._next
        time.sleep(max(0.0, at - time.monotonic()))
        return launch

    def _launch(self, launch: Launch) -> None:
        frame, stub = launch.frame, self._agents.stub
        assert stub is not None
        call = rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=self._request(frame))
        if frame.killed_after is not None:
            due = time.monotonic() + frame.killed_after
            heapq.heappush(self._victims, (due, next(self._order), launch))
        try:
            stub.LaunchFrame(call, timeout=_DEADLINE)
            launch.answer = OK
        except grpc.RpcError as error:
            launch.answer = _answer(error)
        except ValueError:  # the channel was closed under it
            launch.answer = "CANCELLED"
        with self._lock:
            self.accepted += launch.answer == OK
        if launch.answer == "RESOURCE_EXHAUSTED":
            time.sleep(0.1)

    def _request(self, frame: Frame) -> rqd_pb2.RunFrame:
        return rqd_pb2.RunFrame(
            resource_id=frame.key,
            job_id="job",
            job_name="chaos",
            frame_id=f"frame-{frame.key}",
            frame_name=frame.key,
            layer_id="layer",
            command=frame.command(self._prelude),
            user_name="nobody",
            log_dir=self._storage.log_folder(frame.folder),
            show="show",
            shot="shot",
            num_cores=100,
            environment={"CUE_THREADABLE": "1"} if frame.pinned else {},
        )

    # -- killing ---------------------------------------------------------------------------------

    def _kill_on(self) -> None:
        while not self._over.wait(0.02):
            if self._victims and self._victims[0][0] < time.monotonic():
                self._kill(heapq.heappop(self._victims)[2])

    def _kill(self, launch: Launch) -> None:
        """Also one whose launch failed, as Cuebot does; again, until its end is known."""
        frame, stub = launch.frame, self._agents.stub
        call = rqd_pb2.RqdStaticKillRunningFrameRequest(
            frame_id=f"frame-{frame.key}", message="chaos wants it so"
        )
        launch.kills += 1
        try:
            assert stub is not None
            stub.KillRunningFrame(call, timeout=2)
        except (grpc.RpcError, ValueError):
            pass  # the agent is away, or doesn't know the frame (yet)
        refused = launch.answer not in UNSURE | {"", OK}
        if not self._cuebot.has(frame.key) and not refused:
            heapq.heappush(self._victims, (time.monotonic() + _AGAIN, next(self._order), launch))


def _answer(error: grpc.RpcError) -> str:
    """The status; where the agent itself says that it can't take the frame, that is a refusal."""
    refused = "state folder" in (error.details() or "")
    return f"{error.code().name}{' for its state folder' if refused else ''}"
