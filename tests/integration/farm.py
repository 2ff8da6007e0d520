"""A farm's other end for tests: a Cuebot on a real gRPC server that does as it is told."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from rqd.proto import report_pb2, report_pb2_grpc

STARTUP, STATUS, COMPLETION = "startup", "status", "completion"

#: What Cuebot does with one report, in a thread of its server; to return is to answer OK.
Behaviour = Callable[["FakeCuebot", grpc.ServicerContext], None]


def ok(cuebot: FakeCuebot, context: grpc.ServicerContext) -> None:
    """Take the report."""


def refuse(code: str = "UNAVAILABLE", detail: str = "retry later") -> Behaviour:
    """Answer with the gRPC status of that name."""

    def behave(cuebot: FakeCuebot, context: grpc.ServicerContext) -> None:
        context.abort(getattr(grpc.StatusCode, code), detail)

    return behave


def hang(cuebot: FakeCuebot, context: grpc.ServicerContext) -> None:
    """Answer once the test calls ``release``; without, when the server stops."""
    cuebot.released.wait()


def slow(seconds: float) -> Behaviour:
    """Answer after a while."""

    def behave(cuebot: FakeCuebot, context: grpc.ServicerContext) -> None:
        cuebot.stopping.wait(seconds)

    return behave


def free_port() -> int:
    """A port on which nothing listens now, for a Cuebot that starts later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class FakeCuebot:
    """Serves ``RqdReportInterface`` and remembers the reports.

    ``startups``, ``statuses`` and ``completions`` hold what was answered OK, in that order;
    ``attempts`` every report that arrived, as (kind, report), also those refused or left hanging.
    Use ``wait_for`` to wait, and ``addCleanup(cuebot.stop)``. A Cuebot that comes back is another
    one with the same ``port``. An ``address`` of IPv6 is in brackets.
    """

    def __init__(self, reactor: Any, *, port: int = 0, address: str = "127.0.0.1") -> None:
        self._reactor = reactor
        self.startups: list[report_pb2.BootReport] = []
        self.statuses: list[report_pb2.HostReport] = []
        self.completions: list[report_pb2.FrameCompleteReport] = []
        self.attempts: list[tuple[str, Any]] = []
        #: What answers consist of, serialised: a newer Cuebot may say more than nothing.
        self.answer = b""
        self.released = threading.Event()
        self.stopping = threading.Event()
        self._always: dict[str, Behaviour] = {}
        self._scripts: dict[str, deque[Behaviour]] = {STARTUP: deque(), STATUS: deque()}
        self._scripts[COMPLETION] = deque()
        self._waiters: list[tuple[Callable[[FakeCuebot], Any], Deferred[Any]]] = []
        self._threads = ThreadPoolExecutor(64)
        self._server = grpc.server(self._threads, options=[("grpc.so_reuseport", 0)])
        report_pb2_grpc.add_RqdReportInterfaceServicer_to_server(_Servicer(self), self._server)
        self.port = self._server.add_insecure_port(f"{address}:{port}")
        self.endpoint = f"{address}:{self.port}"
        self._server.start()

    def script(self, kind: str, *behaviours: Behaviour) -> None:
        """Treat the next reports of a kind so, in order of arrival; later ones as ``always``."""
        self._scripts[kind].extend(behaviours)

    def always(self, kind: str, behaviour: Behaviour) -> None:
        """Treat every report of a kind so that no script is left for."""
        self._always[kind] = behaviour

    def release(self) -> None:
        """Answer the reports that hang; none hangs from now on."""
        self.released.set()

    def wait_for(
        self, predicate: Callable[[FakeCuebot], Any], timeout: float = 20.0
    ) -> Deferred[Any]:
        """Fire with what ``predicate(self)`` returns once that is true, asked after each report.

        Fails with TimeoutError if that takes longer than ``timeout`` seconds.
        """
        waiter: Deferred[Any] = Deferred()
        self._waiters.append((predicate, waiter))
        self._look()
        return waiter.addTimeout(timeout, self._reactor)

    def kill(self) -> Deferred[Any]:
        """Drop the calls in flight without an answer and free the port, as a crash does."""
        return deferToThreadPool(
            self._reactor, self._reactor.getThreadPool(), self._server.stop(None).wait, 10
        )

    def stop(self) -> Deferred[Any]:
        """Kill, and end all threads. Calling it again, or after a kill, is harmless."""
        killed = self.kill()
        self.stopping.set()
        self.released.set()
        return killed.addCallback(lambda _: self._threads.shutdown())

    def _arrived(self, kind: str, report: Any, context: grpc.ServicerContext) -> None:
        """Runs in a thread of the server."""
        self.attempts.append((kind, report))
        self._reactor.callFromThread(self._look)
        try:
            behave = self._scripts[kind].popleft()
        except IndexError:
            behave = self._always.get(kind, ok)
        behave(self, context)
        {
            STARTUP: self.startups,
            STATUS: self.statuses,
            COMPLETION: self.completions,
        }[kind].append(report)
        self._reactor.callFromThread(self._look)

    def _look(self) -> None:
        """Tell those who wait for what has come true; runs in the reactor."""
        for waiting in tuple(self._waiters):
            predicate, waiter = waiting
            result = predicate(self)
            if waiter.called:
                self._waiters.remove(waiting)
            elif result:
                self._waiters.remove(waiting)
                waiter.callback(result)


class _Servicer(report_pb2_grpc.RqdReportInterfaceServicer):
    def __init__(self, cuebot: FakeCuebot) -> None:
        self._cuebot = cuebot

    def ReportRqdStartup(self, request: Any, context: Any) -> Any:
        self._cuebot._arrived(STARTUP, request.boot_report, context)
        return report_pb2.RqdReportRqdStartupResponse.FromString(self._cuebot.answer)

    def ReportStatus(self, request: Any, context: Any) -> Any:
        self._cuebot._arrived(STATUS, request.host_report, context)
        return report_pb2.RqdReportStatusResponse.FromString(self._cuebot.answer)

    def ReportRunningFrameCompletion(self, request: Any, context: Any) -> Any:
        self._cuebot._arrived(COMPLETION, request.frame_complete_report, context)
        return report_pb2.RqdReportRunningFrameCompletionResponse.FromString(self._cuebot.answer)
