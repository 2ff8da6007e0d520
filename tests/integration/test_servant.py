"""The bridge and the server with gRPC itself: a real port, real channels, trial's reactor."""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rqd.refusals import UnknownFrame
from rqd.servant.bridge import ReactorBridge
from rqd.servant.server import MAX_MESSAGE, CannotListen, GrpcServer
from tests.environments import SOURCE_TREE, lacks, run
from tests.integration.wire import say_and_wait_for_close

SERVICE = "test.Servant"
WORKER_THREADS = 4

#: Seconds. Nothing here takes as long unless it is broken.
PATIENCE = 60.0

OK = grpc.StatusCode.OK


def server_on(port: int, *, interface: str = "127.0.0.1", register: Any = ()) -> GrpcServer:
    return GrpcServer(
        reactor=reactor,
        interface=interface,
        port=port,
        worker_threads=WORKER_THREADS,
        register=register,
    )


class Caller:
    """A channel of its own; every call is a Deferred of (status code, response or detail)."""

    def __init__(self, address: str) -> None:
        # Channels of one process share connections, unless told not to.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options=options)
        self._method = self.channel.unary_unary(f"/{SERVICE}/Call")
        self._running: set[Any] = set()

    def begin(self, request: bytes, timeout: float = PATIENCE) -> tuple[Any, Deferred[Any]]:
        """The call, to cancel it by, and its end."""
        over: Deferred[Any] = Deferred()
        call = self._method.future(request, timeout=timeout, wait_for_ready=True)
        # gRPC cancels a call that nobody holds.
        self._running.add(call)
        call.add_done_callback(lambda _: reactor.callFromThread(self._over, call, over))
        return call, over

    def ask(self, request: bytes = b"", timeout: float = PATIENCE) -> Deferred[Any]:
        return self.begin(request, timeout)[1]

    def _over(self, call: Any, over: Deferred[Any]) -> None:
        self._running.discard(call)
        code = call.code()
        over.callback((code, call.result() if code is OK else call.details()))


class ServantTests(TestCase):
    """One method is served; what it does on the reactor is each test's own ``function``."""

    def setUp(self) -> None:
        self.function: Callable[[bytes], Any] = bytes.upper
        self.abandoned: list[Any] = []
        self.left: Deferred[None] = Deferred()
        self.bridge = ReactorBridge(reactor=reactor, deadline=PATIENCE)
        self.server = server_on(0, register=[self.register])
        self.server.start()
        self.addCleanup(self.stop)
        self.caller = self.call_from(f"127.0.0.1:{self.server.port}")

    def call_from(self, address: str) -> Caller:
        caller = Caller(address)
        self.addCleanup(caller.channel.close)
        return caller

    def register(self, server: grpc.Server) -> None:
        call = grpc.unary_unary_rpc_method_handler(self.serve)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"Call": call}),)
        )

    def serve(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(lambda: reactor.callFromThread(self.call_ended))
        return self.bridge.call(context, self.function, request, abandoned=self.abandoned.append)

    def call_ended(self) -> None:
        if not self.left.called:
            self.left.callback(None)

    def stop(self) -> Deferred[None]:
        self.bridge.stop()
        return self.server.stop()

    def never(self) -> tuple[Deferred[bytes], Deferred[bytes]]:
        """A function that starts, and only ends when the test ends it."""
        started: Deferred[bytes] = Deferred()
        unfinished: Deferred[bytes] = Deferred()

        def function(request: bytes) -> Deferred[bytes]:
            started.callback(request)
            return unfinished

        self.function = function
        return started, unfinished

    @inlineCallbacks
    def test_answer(self) -> Any:
        """The function's result is the response."""
        self.assertEqual((yield self.caller.ask(b"frame")), (OK, b"FRAME"))

    @inlineCallbacks
    def test_refusal(self) -> Any:
        """A refusal arrives as its status and its sentence, whatever characters are in it."""

        def refuse(request: bytes) -> bytes:
            raise UnknownFrame("no frame 'ü\n\x00' runs here")

        self.function = refuse
        answer = yield self.caller.ask()
        self.assertEqual(answer, (grpc.StatusCode.NOT_FOUND, "no frame 'ü\n\x00' runs here"))

    @inlineCallbacks
    def test_long_refusal(self) -> Any:
        """A refusal that quotes a huge request is still a definite answer."""

        def refuse(request: bytes) -> bytes:
            raise UnknownFrame("ü" * 1_000_000)

        self.function = refuse
        code, _ = yield self.caller.ask()
        self.assertEqual(code, grpc.StatusCode.NOT_FOUND)

    @inlineCallbacks
    def test_bug(self) -> Any:
        """No traceback crosses the wire; it is in the agent's log."""
        self.function = lambda request: 1 // 0
        answer = yield self.caller.ask()
        self.assertEqual(answer, (grpc.StatusCode.INTERNAL, "internal error, see the agent's log"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @inlineCallbacks
    def test_cancelled(self) -> Any:
        """A caller that cancels frees the agent's thread; what succeeds later is abandoned."""
        started, unfinished = self.never()
        call, over = self.caller.begin(b"")
        yield started
        call.cancel()
        self.assertEqual((yield over)[0], grpc.StatusCode.CANCELLED)
        yield self.left
        unfinished.callback(b"frame")
        self.assertEqual(self.abandoned, [b"frame"])

    @inlineCallbacks
    def test_cancelled_callers_hold_no_thread(self) -> Any:
        """More cancelled calls than there are threads leave the agent able to answer."""
        running: list[Deferred[None]] = []
        begun = Deferred()

        def hang(request: bytes) -> Deferred[bytes]:
            running.append(Deferred())
            if len(running) == WORKER_THREADS:
                begun.callback(None)
            return running[-1]

        self.function = hang
        calls = [self.caller.begin(b"") for _ in range(WORKER_THREADS)]
        yield begun
        for call, _ in calls:
            call.cancel()
        self.function = bytes.upper
        self.assertEqual((yield self.caller.ask(b"frame")), (OK, b"FRAME"))
        yield gatherResults([over for _, over in calls])

    @inlineCallbacks
    def test_callers_deadline(self) -> Any:
        """A call that passes its deadline ends there, and what succeeds later is abandoned."""
        yield deferToThread(grpc.channel_ready_future(self.caller.channel).result, PATIENCE)
        started, unfinished = self.never()
        over = self.caller.ask(timeout=1.0)
        yield started
        code, _ = yield over
        self.assertEqual(code, grpc.StatusCode.DEADLINE_EXCEEDED)
        yield self.left
        unfinished.callback(b"frame")
        self.assertEqual(self.abandoned, [b"frame"])

    @inlineCallbacks
    def test_own_deadline(self) -> Any:
        """However long the caller would wait, the agent's own deadline ends the call."""
        self.bridge = ReactorBridge(reactor=reactor, deadline=0.05)
        self.never()
        answer = yield self.caller.ask()
        self.assertEqual(
            answer, (grpc.StatusCode.DEADLINE_EXCEEDED, "the agent had no answer in time")
        )

    @inlineCallbacks
    def test_stopping(self) -> Any:
        """Calls that wait while the agent stops are told so, and no thread of the server stays."""
        started, _ = self.never()
        over = self.caller.ask()
        yield started
        self.bridge.stop()
        answer = yield over
        self.assertEqual(answer, (grpc.StatusCode.UNAVAILABLE, "the agent is stopping"))
        yield self.server.stop()

    @inlineCallbacks
    def test_thousand_at_once(self) -> Any:
        """A thousand calls at once over a few threads: each gets its own answer."""
        asked = [b"call %d" % number for number in range(1000)]
        answers = yield gatherResults([self.caller.ask(each) for each in asked])
        self.assertEqual(answers, [(OK, each.upper()) for each in asked])

    @inlineCallbacks
    def test_large_message(self) -> Any:
        """A command of ten megabytes is legal."""
        self.function = lambda request: b"%d" % len(request)
        self.assertEqual((yield self.caller.ask(bytes(10_000_000))), (OK, b"10000000"))

    @inlineCallbacks
    def test_too_large_message(self) -> Any:
        """What is over the limit is refused before it is taken in; later calls are answered."""
        code, _ = yield self.caller.ask(bytes(MAX_MESSAGE + 1))
        self.assertEqual(code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual((yield self.caller.ask(b"frame")), (OK, b"FRAME"))

    @inlineCallbacks
    def test_garbage(self) -> Any:
        """Bytes that are no HTTP/2 end their own connection and nothing else."""
        samples = [b"GET / HTTP/1.1\r\n\r\n", os.urandom(100_000), b"\x00" * 4096]
        samples.append(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(4096))
        for sample in samples:
            yield deferToThread(say_and_wait_for_close, self.server.port, sample, PATIENCE)
        self.assertEqual((yield self.caller.ask(b"frame")), (OK, b"FRAME"))

    @inlineCallbacks
    def test_silent_connections(self) -> Any:
        """A thousand connections that say nothing cost no thread and keep nobody out."""
        count = 1000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < 4 * count:
            lacks(f"only {hard} open files are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        yield self.caller.ask()
        threads = threading.active_count()
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.server.port), PATIENCE)
            self.addCleanup(connection.close)
        answer = yield self.call_from(f"127.0.0.1:{self.server.port}").ask(b"frame")
        self.assertEqual(answer, (OK, b"FRAME"))
        self.assertLessEqual(threading.active_count(), threads + WORKER_THREADS)

    def test_port_in_use(self) -> None:
        """A second agent on the port doesn't start, and its error names the port."""
        second = server_on(self.server.port)
        problem = self.assertRaises(CannotListen, second.start)
        self.assertIn(f":{self.server.port}:", str(problem))

    @inlineCallbacks
    def test_again(self) -> Any:
        """Once stopped, the port is free for the next agent at once."""
        yield self.stop()
        self.bridge = ReactorBridge(reactor=reactor, deadline=PATIENCE)
        self.server = server_on(self.server.port, register=[self.register])
        self.server.start()
        self.assertEqual((yield self.caller.ask(b"frame")), (OK, b"FRAME"))

    @inlineCallbacks
    def test_every_interface(self) -> Any:
        """Without an interface, the agent answers on IPv4, and on IPv6 where the machine has it."""
        server = server_on(0, interface="", register=[self.register])
        server.start()
        self.addCleanup(server.stop)
        addresses = [f"127.0.0.1:{server.port}"]
        interfaces = Path("/proc/net/if_inet6")
        if interfaces.exists() and " lo\n" in interfaces.read_text():
            addresses.append(f"[::1]:{server.port}")
        for address in addresses:
            self.assertEqual((yield self.call_from(address).ask(b"frame")), (OK, b"FRAME"))


class ImportTests(TestCase):
    """twistd forks after its plugins are loaded, and gRPC doesn't bear a fork."""

    def test_no_grpc_at_import(self) -> None:
        """Neither the server nor the bridge imports grpc before it is needed."""
        code = "import sys, rqd.servant.server, rqd.servant.bridge; print('grpc' in sys.modules)"
        printed = run(sys.executable, "-c", code, PYTHONPATH=str(SOURCE_TREE))
        self.assertEqual(printed.strip(), "False")
