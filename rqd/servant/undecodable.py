"""Requests that can't be read are refused like any malformed one.

gRPC's own answer to them is INTERNAL, which tells a caller that the agent is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

#: A ``grpc.RpcMethodHandler`` of one request and one answer: the contract has no others.
Method = Any

_UNDECODABLE = object()
_DETAIL = "the request can't be read: its bytes are no message of the method's type"


class UndecodableRequests(grpc.ServerInterceptor):
    """Answers them with INVALID_ARGUMENT; in gRPC's threads. Other calls pass by unchanged."""

    def __init__(self) -> None:
        self._methods: dict[str, Method] = {}

    def intercept_service(
        self, continuation: Callable[[Any], Method | None], details: Any
    ) -> Method | None:
        """The method that serves a call; None where there is none of that name."""
        method = self._methods.get(details.method)
        if method is None:
            served = continuation(details)
            if served is None:
                return None
            method = self._methods[details.method] = _definite(served)
        return method


def _definite(served: Method) -> Method:
    """The same method; gRPC takes any exception of the decoder for its own failure, so none."""
    decode, serve = served.request_deserializer, served.unary_unary

    def decode_or_mark(request: bytes) -> Any:
        try:
            return decode(request) if decode else request
        except Exception:  # the protobuf runtimes differ in what they raise
            return _UNDECODABLE

    def serve_or_refuse(request: Any, context: grpc.ServicerContext) -> Any:
        if request is _UNDECODABLE:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, _DETAIL)
        return serve(request, context)

    return grpc.unary_unary_rpc_method_handler(
        serve_or_refuse, decode_or_mark, served.response_serializer
    )
