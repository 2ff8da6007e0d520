"""A Cuebot that is up, down, slow, answers errors or hangs, and remembers every completion."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random

import grpc
from google.protobuf.message import Message

from rqd.proto import report_pb2
from tests.chaos.checker import Completion
from tests.chaos.schedule import Spell, Weather

_SERVICE = "report.RqdReportInterface"
_COMPLETION = "ReportRunningFrameCompletion"
_METHODS = ("ReportRqdStartup", "ReportStatus", _COMPLETION)
_ERRORS = ("UNAVAILABLE", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
#: Seconds that a slow answer takes at most: some are later than the agent waits.
_SLOW = 2.5


class ChaosCuebot:
    """Serves on one port; ``storm`` changes how."""

    def __init__(self, port: int, chance: Random) -> None:
        self._port = port
        self._chance = chance
        self._lock = threading.Lock()
        self._completions: dict[str, list[Completion]] = defaultdict(list)
        self._taken: set[str] = set()
        self._weather = Weather.UP
        self._change = threading.Event()
        self._server: grpc.Server | None = None
        self.arrived: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self._rise()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def weather(self) -> Weather:
        return self._weather

    def completions(self) -> dict[str, list[Completion]]:
        """By frame id, in order of arrival; ends are read off the reports."""
        with self._lock:
            return {key: list(each) for key, each in self._completions.items()}

    def has(self, key: str) -> bool:
        """Whether a completion of the frame was taken."""
        return key in self._taken

    @property
    def heard(self) -> int:
        """How many completions arrived."""
        return self.arrived[_COMPLETION]

    @property
    def taken(self) -> int:
        """Of how many frames it took a completion."""
        return len(self._taken)

    def storm(self, spell: Spell, stop: threading.Event) -> None:
        """Be so for a while, or until ``stop`` is set."""
        began = time.monotonic()
        self._become(spell.weather)
        stop.wait(spell.seconds)
        self.seconds[spell.weather.value] += time.monotonic() - began

    def clear_up(self) -> None:
        """Be up from now on."""
        self._become(Weather.UP)

    def close(self) -> None:
        """Serve no more."""
        self._become(Weather.DOWN)

    def _become(self, weather: Weather) -> None:
        before, self._weather = self._weather, weather
        change, self._change = self._change, threading.Event()
        change.set()
        if weather is Weather.DOWN and self._server is not None:
            self._server.stop(None).wait()
            self._server = None
        elif before is Weather.DOWN and weather is not Weather.DOWN:
            self._rise()

    def _rise(self) -> None:
        server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.so_reuseport", 0)])
        answers = {
            name: grpc.unary_unary_rpc_method_handler(self._answering(name)) for name in _METHODS
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, answers),))
        if not server.add_insecure_port(self.endpoint):
            raise OSError(f"Cuebot can't listen on {self.endpoint}")
        server.start()
        self._server = server

    def _answering(self, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            weather, change, now = self._weather, self._change, time.time()
            self.arrived[method] += 1
            taken = weather is not Weather.ERRORS
            if weather is Weather.SLOW:
                time.sleep(self._chance.uniform(0, _SLOW))
            elif weather is Weather.HANGS:
                change.wait(30)
            if method == _COMPLETION:
                self._remember(request, taken, now)
            if not taken:
                context.abort(getattr(grpc.StatusCode, self._chance.choice(_ERRORS)), "not now")
            return b""

        return answer

    def _remember(self, request: bytes, taken: bool, at: float) -> None:
        call = report_pb2.RqdReportRunningFrameCompletionRequest.FromString(request)
        report = call.frame_complete_report
        key = report.frame.resource_id
        end = (report.exit_status, report.exit_signal)
        with self._lock:
            self._completions[key].append(Completion(request, end, taken, facts(report), at))
            if taken:
                self._taken.add(key)


def facts(message: Message, prefix: str = "") -> dict[str, str]:
    """The fields of a message and of those in it, by their paths."""
    found: dict[str, str] = {}
    for field, value in message.ListFields():
        path = f"{prefix}{field.name}"
        if isinstance(value, Message):
            found |= facts(value, f"{path}.")
        else:
            found[path] = str(value)
    return found
