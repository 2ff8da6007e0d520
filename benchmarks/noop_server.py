"""A gRPC server whose LaunchFrame does nothing: `python -m benchmarks.noop_server`.

Prints its port and ends when its stdin does. Part of the floor.
"""

from __future__ import annotations

import sys
from concurrent import futures

import grpc

from rqd.proto import rqd_pb2, rqd_pb2_grpc


class Noop(rqd_pb2_grpc.RqdInterfaceServicer):
    """Answers, and that is all."""

    def LaunchFrame(
        self, request: rqd_pb2.RqdStaticLaunchFrameRequest, context: grpc.ServicerContext
    ) -> rqd_pb2.RqdStaticLaunchFrameResponse:
        """Nothing is launched."""
        return rqd_pb2.RqdStaticLaunchFrameResponse()


def main() -> None:
    """Serve until stdin ends."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    rqd_pb2_grpc.add_RqdInterfaceServicer_to_server(Noop(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


if __name__ == "__main__":
    main()
