"""Sends what hypothesis thinks of to a real agent, over real connections, and judges answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from tests.integration.agent import PATIENCE
from tests.integration.fuzz_requests import Request, legal
from tests.integration.methods import METHODS, Method

#: Examples that hypothesis makes in one go; it slows down and grows with their number.
_GO = 50
_CONNECTIONS = 4


class Fuzzer:
    """One run, in a thread of the test; ``answers`` counts methods and what they answered."""

    def __init__(self, port: int, batches: st.SearchStrategy[list[Request]], seed: int) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        self._address = f"127.0.0.1:{port}"
        self._batches = batches
        self._seed = seed

    @property
    def sent(self) -> int:
        return self.answers.total()

    def run(self, requests: int, seconds: float, between: Callable[[], object]) -> None:
        """Send so many requests, or as many as there is time for.

        ``between`` is called now and then. What must not be fails with the batch that caused it, as
        small as hypothesis can make it.
        """
        until = time.monotonic() + seconds
        with ExitStack() as open_channels:
            channels = [
                open_channels.enter_context(
                    grpc.insecure_channel(self._address, [("grpc.use_local_subchannel_pool", 1)])
                )
                for _ in range(_CONNECTIONS)
            ]
            self._play(channels, [(each, b"\xff") for each in METHODS])
            while self.sent < requests and time.monotonic() < until:
                self._go(channels, self._seed)
                self._seed += 1
                between()

    def _go(self, channels: list[grpc.Channel], seed: int) -> None:
        @seeded(seed)
        @settings(
            max_examples=_GO,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(self._batches)
        def play(batch: list[Request]) -> None:
            self._play(channels, batch)

        play()

    def _play(self, channels: list[grpc.Channel], batch: list[Request]) -> None:
        """All calls at once, then their answers."""
        calls = [
            (method, method.on(channels[n % _CONNECTIONS]).future(message, timeout=PATIENCE))
            for n, (method, message) in enumerate(batch)
        ]
        for method, call in calls:
            self._judge(method, call)

    def _judge(self, method: Method, call: Any) -> None:
        code = call.code().name
        self.answers[method.name, code] += 1
        if code not in legal(method):
            raise AssertionError(f"{method.name} answered {code}: {call.details()}")
        if code == "OK":
            method.response.FromString(call.result())
        elif "Traceback" in call.details() or len(call.details().split()) < 3:
            raise AssertionError(f"{method.name} answered {code} in no sentence: {call.details()}")
