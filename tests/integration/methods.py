"""The methods of the contract, from its descriptors, to be called with any bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from rqd.proto import rqd_pb2
from tests.integration.agent import PATIENCE


@dataclass(frozen=True, slots=True)
class Method:
    """One method that an agent serves."""

    service: str
    name: str
    request: type[Message]
    response: type[Message]

    def on(self, channel: grpc.Channel) -> Callable[..., Any]:
        """The method on a channel: bytes in, a future of bytes out."""
        return channel.unary_unary(f"/rqd.{self.service}/{self.name}")  # type: ignore[no-any-return]

    def code(self, channel: grpc.Channel, request: bytes = b"") -> str:
        """Call it, and return the name of the status."""
        try:
            answer = self.on(channel)(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            return str(error.code().name)
        self.response.FromString(answer)
        return "OK"


METHODS = tuple(
    Method(
        service.name,
        method.name,
        getattr(rqd_pb2, method.input_type.name),
        getattr(rqd_pb2, method.output_type.name),
    )
    for service in rqd_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)

#: Methods after which an agent may be another one, or none.
ENDINGS = frozenset(
    {
        "RebootIdle",
        "RebootNow",
        "RestartRqdIdle",
        "RestartRqdNow",
        "ShutdownRqdIdle",
        "ShutdownRqdNow",
    }
)


def method(name: str) -> Method:
    """The method of that name; no two services have one of the same."""
    (found,) = (each for each in METHODS if each.name == name)
    return found
