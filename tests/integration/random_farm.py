"""Sixteen clients that do at random what a farm does, and a user who comes and goes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from random import Random
from typing import Any

import grpc

from rqd.proto import rqd_pb2
from tests.integration import activity
from tests.integration.agent import PATIENCE, Agent
from tests.integration.contract_model import LOCKS, Call, Launch
from tests.integration.methods import method

CLIENTS = 16
#: Calls of each client in a round, at most.
_CALLS = 3
#: Lock calls of a round, at most: the model tries all their orders.
_LOCKS = 6
#: Frames that each client owns: only the owner launches them, so that it knows of its own.
_FRAMES = 3

_METHODS = {
    "LaunchFrame": 30,
    "KillRunningFrame": 12,
    "Kill": 6,
    "GetRunningFrameStatus": 8,
    "Status": 4,
    "GetRunFrame": 4,
    "ReportStatus": 4,
    "Lock": 4,
    "Unlock": 4,
    "LockAll": 1,
    "UnlockAll": 3,
    "NimbyOn": 1,
    "NimbyOff": 1,
}
#: Commands by what they end with by themselves; None needs a kill. Some don't listen to TERM.
_COMMANDS: tuple[tuple[str, int | None], ...] = (
    ("true", 0),
    ("exit 3", 3),
    ("sleep 0.05; exit 4", 4),
    ("exec sleep 1000", None),
    ("exec sleep 1000", None),
    ("trap '' TERM; sleep 1000", None),
)
_POINTS = (1, 10, 50, 100, 100, 150, 400, 1000, 3000)


class Farm:
    """The clients, each on a connection of its own. Used from one thread."""

    def __init__(self, agent: Agent, chance: Random) -> None:
        self._agent = agent
        self._chance = chance
        self._commands: dict[str, str] = {}
        self._threads = ThreadPoolExecutor(CLIENTS)
        self._channels = [
            grpc.insecure_channel(
                f"127.0.0.1:{agent.port}", [("grpc.use_local_subchannel_pool", 1)]
            )
            for _ in range(CLIENTS)
        ]

    def close(self) -> None:
        self._threads.shutdown()
        for channel in self._channels:
            channel.close()

    # -- what is asked -------------------------------------------------------------------------

    def invent(self) -> list[Call]:
        """The calls of a round, those of one client in the order in which it makes them."""
        calls = [
            self._call(client)
            for client in range(CLIENTS)
            for _ in range(self._chance.randint(1, _CALLS))
        ]
        locks = [call for call in calls if call.method in LOCKS]
        return [call for call in calls if call not in locks[_LOCKS:]]

    def _call(self, client: int) -> Call:
        (name,) = self._chance.choices(tuple(_METHODS), _METHODS.values())
        if name == "LaunchFrame":
            return self._launch(client)
        if name in ("Lock", "Unlock"):
            points = self._chance.choice((-1, 0, 1, 100, 250, 1000, 5000))
            return Call(client, name, points=points)
        if name in LOCKS or name.startswith("Nimby") or name == "ReportStatus":
            return Call(client, name)
        owner = client if self._chance.random() < 0.7 else self._chance.randrange(CLIENTS)
        return Call(client, name, self._frame_of(owner))

    def _launch(self, client: int) -> Call:
        command, own_end = self._chance.choice(_COMMANDS)
        launch = Launch(
            frame_id=self._frame_of(client),
            resource_id=str(uuid.UUID(int=self._chance.getrandbits(128))),
            points=self._chance.choice(_POINTS) if self._chance.random() < 0.98 else 0,
            ignore_nimby=self._chance.random() < 0.3,
            own_end=own_end,
        )
        self._commands[launch.resource_id] = command
        return Call(client, "LaunchFrame", launch.frame_id, launch=launch)

    def _frame_of(self, client: int) -> str:
        return f"frame-{client}-{self._chance.randrange(_FRAMES)}"

    # -- asking --------------------------------------------------------------------------------

    def play(self, calls: Sequence[Call]) -> None:
        """Make all calls, the clients' beside each other; fills in how they were answered."""
        list(self._threads.map(partial(self._play_own, calls), range(CLIENTS)))

    def _play_own(self, calls: Sequence[Call], client: int) -> None:
        for call in calls:
            if call.client == client:
                self._make(call)

    def _make(self, call: Call) -> None:
        asked = method(call.method)
        request = self._request(call).SerializeToString()
        try:
            answer = asked.on(self._channels[call.client])(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            call.code = error.code().name
            return
        call.code = "OK"
        self._read(call, asked.response.FromString(answer))

    def _read(self, call: Call, answer: Any) -> None:
        if call.method == "ReportStatus":
            call.report = answer.host_report
        elif call.method == "GetRunFrame":
            call.told = answer.run_frame.resource_id
        elif call.method in ("GetRunningFrameStatus", "Status"):
            call.told = answer.running_frame_info.resource_id

    def _request(self, call: Call) -> Any:
        kind = method(call.method).request
        if call.launch is not None:
            return kind(run_frame=self._run_frame(call.launch))
        if call.method in ("Kill", "Status"):
            return kind(run_frame=rqd_pb2.RunFrame(frame_id=call.frame_id))
        if call.frame_id:
            return kind(frame_id=call.frame_id)
        return kind(cores=call.points) if call.method in ("Lock", "Unlock") else kind()

    def _run_frame(self, launch: Launch) -> rqd_pb2.RunFrame:
        return self._agent.request(
            self._commands[launch.resource_id],
            frame_id=launch.frame_id,
            resource_id=launch.resource_id,
            frame_name=launch.frame_id,
            num_cores=launch.points,
            ignore_nimby=launch.ignore_nimby,
        )


class User:
    """Somebody whose workstation it is: what the activity file says."""

    def __init__(self, agent: Agent, chance: Random) -> None:
        self._agent = agent
        self._chance = chance
        self.sit(active=False)

    def maybe_move(self) -> None:
        """Come or go, now and then; go sooner than come."""
        if self._chance.random() < (0.2 if self.active else 0.03):
            self.sit(active=not self.active)

    def sit(self, *, active: bool) -> None:
        self.active = active
        activity.tell(self._agent, "active" if active else "idle")


def of_kill(frame_id: str) -> Call:
    """The last call for a frame."""
    return Call(0, "KillRunningFrame", frame_id)
