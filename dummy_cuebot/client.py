"""A blocking client of one agent, with errors in words."""

from __future__ import annotations

from typing import Any

import grpc
from twisted.python.failure import Failure

from dummy_cuebot.addresses import CHANNEL_OPTIONS
from dummy_cuebot.errors import Problem
from rqd.proto import rqd_pb2_grpc

# What a Cuebot gives every call to an agent, in seconds.
DEADLINE = 10.0


class CallFailed(Problem):
    """The agent refused a call, or couldn't be reached."""

    def __init__(self, sentence: str, code: Any) -> None:
        super().__init__(sentence)
        self.code = code


def code_of(failure: Failure) -> Any:
    """The gRPC status of a call that failed as a Deferred; other failures are raised again."""
    failure.trap(CallFailed)
    return getattr(failure.value, "code", None)


class AgentClient:
    """Calls ``rqd.RqdInterface`` at ``address``. ``close`` it, or use it in a ``with``."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub = rqd_pb2_grpc.RqdInterfaceStub(self._channel)

    def call(self, method: str, request: Any) -> Any:
        """The response, or CallFailed."""
        try:
            return getattr(self._stub, method)(request, timeout=DEADLINE)
        except grpc.RpcError as error:
            raise CallFailed(explain(self.address, method, error), error.code()) from None

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def explain(address: str, method: str, error: Any) -> str:
    """One sentence for a failed call; ``error`` is a grpc.RpcError of a call."""
    code, details = error.code(), error.details() or "no explanation"
    if code is grpc.StatusCode.UNAVAILABLE:
        return f"no answer from {address} to {method}: {details} (UNAVAILABLE)"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"{address} did not answer {method} in time (DEADLINE_EXCEEDED)"
    return f"{address} refused {method}: {details} ({code.name})"
