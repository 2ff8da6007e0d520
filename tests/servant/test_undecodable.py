"""Requests that can't be read."""

from __future__ import annotations

from typing import Any, NamedTuple

import grpc
from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import rqd_pb2
from rqd.servant.undecodable import UndecodableRequests
from tests.servant.fakes import Aborted, FakeContext


class Details(NamedTuple):
    """What gRPC tells of a call that comes in."""

    method: str


class UndecodableRequestsTests(SynchronousTestCase):
    """L{UndecodableRequests}."""

    def setUp(self) -> None:
        self.asked = 0
        self.interceptor = UndecodableRequests()

    def continuation(self, details: Details) -> Any:
        """gRPC's way on to the method itself."""
        self.asked += 1
        if details.method == "unknown":
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: rqd_pb2.RqdStaticLockRequest(cores=request.cores + 1),
            rqd_pb2.RqdStaticLockRequest.FromString,
            rqd_pb2.RqdStaticLockRequest.SerializeToString,
        )

    def call(self, request: bytes) -> bytes:
        """A call of the method, as gRPC makes it."""
        method = self.interceptor.intercept_service(self.continuation, Details("method"))
        answer = method.unary_unary(method.request_deserializer(request), FakeContext())
        return bytes(method.response_serializer(answer))

    def test_right(self) -> None:
        """What can be read is served."""
        self.assertEqual(self.call(b"\x08\x05"), b"\x08\x06")

    def test_wrong(self) -> None:
        """What can't be read is the caller's fault, and is told so in a sentence."""
        for request in (b"\xff", b"\x08", b"\x0a\x05"):
            refusal = self.assertRaises(Aborted, self.call, request)
            self.assertEqual(refusal.code, grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("can't be read", refusal.details)

    def test_unknown(self) -> None:
        """A method that there isn't stays one that there isn't."""
        self.assertIs(
            self.interceptor.intercept_service(self.continuation, Details("unknown")), None
        )

    def test_once(self) -> None:
        """A method is looked up at its first call only."""
        for _ in range(3):
            self.call(b"")
        self.assertEqual(self.asked, 1)
