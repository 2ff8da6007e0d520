"""Reports reach a Cuebot on a real gRPC server."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, gatherResults, inlineCallbacks
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
from twisted.trial.unittest import TestCase

from rqd.config.settings import GrpcSettings
from rqd.proto import report_pb2
from rqd.report.announcer import announce
from rqd.report.backoff import backoff
from rqd.report.connection import CuebotError
from rqd.report.cuebot import CuebotClient
from rqd.report.heartbeat import Heartbeat
from rqd.report.interface import ReportInterface
from rqd.report.outbox import Outbox
from rqd.report.presence import Presence
from tests.integration.farm import (
    COMPLETION,
    STARTUP,
    STATUS,
    FakeCuebot,
    free_port,
    hang,
    refuse,
    slow,
)

#: A test that waits (Twisted 22.4 takes an ``async def`` for a test that has passed).
Steps = Generator[Deferred[Any], Any, None]

#: Nobody listens here: the port is reserved, and was never opened by an ordinary program.
NOBODY = "127.0.0.1:1"


def completion(number: int) -> bytes:
    frame = report_pb2.RunningFrameInfo(resource_id=str(number))
    return report_pb2.FrameCompleteReport(frame=frame).SerializeToString()


def numbers(cuebot: FakeCuebot) -> list[int]:
    return [int(report.frame.resource_id) for report in cuebot.completions]


def host_report(name: str) -> bytes:
    return report_pb2.HostReport(host=report_pb2.RenderHost(name=name)).SerializeToString()


class ReportCase(TestCase):
    def cuebot(self, port: int = 0) -> FakeCuebot:
        cuebot = FakeCuebot(reactor, port=port)
        self.addCleanup(cuebot.stop)
        return cuebot

    def client(self, *endpoints: str, expires: float = 3600.0) -> CuebotClient:
        """A client that tries the endpoints in this order."""
        client = CuebotClient(
            reactor=reactor,
            settings=GrpcSettings(cuebot_endpoints=endpoints, connection_expires_after=expires),
            shuffle=lambda endpoints: None,
        )
        self.addCleanup(client.stop)
        return client

    def interface(self, *endpoints: str, deadline: float = 30.0) -> ReportInterface:
        return ReportInterface(self.client(*endpoints), completion_timeout=deadline)

    def outbox(self, send: Callable[[bytes], Deferred[bytes]]) -> Outbox:
        self.settled: list[str] = []
        delay = backoff(GrpcSettings(), at_most=5.0)
        outbox = Outbox(
            reactor=reactor,
            send=send,
            fetch=lambda keys: fail(NotImplementedError("all of it fits in memory")),
            settle=self.settled.append,
            probe_backoff=delay,
            refusal_backoff=delay,
        )
        self.addCleanup(outbox.stop)
        return outbox


class CallTests(ReportCase):
    @inlineCallbacks
    def test_three_reports(self) -> Steps:
        """Each kind of report arrives as it was sent."""
        cuebot = self.cuebot()
        interface = self.interface(cuebot.endpoint)
        host = report_pb2.RenderHost(name="render042")
        yield interface.startup(report_pb2.BootReport(host=host))
        yield interface.status(host_report("render042"))
        yield interface.completion(completion(7))
        self.assertEqual(cuebot.startups[0].host.name, "render042")
        self.assertEqual(cuebot.statuses[0].host.name, "render042")
        self.assertEqual(numbers(cuebot), [7])

    @inlineCallbacks
    def test_refused(self) -> Steps:
        """A status that Cuebot answers is an error with code, detail and endpoint."""
        cuebot = self.cuebot()
        cuebot.script(COMPLETION, refuse("INTERNAL", "the database is busy"))
        sent = self.interface(cuebot.endpoint).completion(completion(1))
        error = yield self.assertFailure(sent, CuebotError)
        self.assertEqual(
            (error.code, error.detail, error.endpoint),
            ("INTERNAL", "the database is busy", cuebot.endpoint),
        )

    @inlineCallbacks
    def test_deadline(self) -> Steps:
        """A call that hangs ends at its deadline."""
        cuebot = self.cuebot()
        cuebot.always(COMPLETION, hang)
        sent = self.interface(cuebot.endpoint, deadline=0.1).completion(completion(1))
        error = yield self.assertFailure(sent, CuebotError)
        self.assertEqual(error.code, "DEADLINE_EXCEEDED")

    @inlineCallbacks
    def test_cancel(self) -> Steps:
        """A stop cancels the calls in flight, at the server too."""
        cuebot = self.cuebot()
        ended: Deferred[None] = Deferred()

        def tell() -> None:
            reactor.callFromThread(ended.callback, None)

        def behave(cuebot: FakeCuebot, context: Any) -> None:
            if not context.add_callback(tell):
                tell()  # The cancellation was here first.
            cuebot.released.wait()

        cuebot.script(COMPLETION, behave)
        client = self.client(cuebot.endpoint)
        sent = ReportInterface(client, completion_timeout=30.0).completion(completion(1))
        yield cuebot.wait_for(lambda cuebot: cuebot.attempts)
        yield client.stop()
        yield ended
        yield self.assertFailure(sent, CuebotError)

    @inlineCallbacks
    def test_garbage(self) -> Steps:
        """Something else on Cuebot's port is an error, not the end of the agent."""
        port = yield TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(
            Factory.forProtocol(Echo)
        )
        self.addCleanup(port.stopListening)
        sent = self.interface(f"127.0.0.1:{port.getHost().port}", deadline=5).completion(b"")
        yield self.assertFailure(sent, CuebotError)

    @inlineCallbacks
    def test_unknown_name(self) -> Steps:
        """A Cuebot whose name nobody knows is an error like any other."""
        sent = self.interface("cuebot.invalid:8443", deadline=10).completion(b"")
        yield self.assertFailure(sent, CuebotError)

    @inlineCallbacks
    def test_many_at_once(self) -> Steps:
        """A thousand calls at once are all answered, and leave no thread behind."""
        cuebot = self.cuebot()
        interface = self.interface(cuebot.endpoint)
        yield interface.completion(completion(0))
        before = threading.active_count()
        yield gatherResults([interface.completion(completion(n)) for n in range(1, 1000)])
        self.assertEqual(sorted(numbers(cuebot)), list(range(1000)))
        self.assertLessEqual(threading.active_count(), before + 64)

    def test_import(self) -> None:
        """Building the client imports no grpc, and the import switches off its fork support."""
        script = (
            "import os, sys\n"
            "from rqd.report import cuebot, interface, outbox, presence\n"
            "from rqd.grpc_import import load_grpc\n"
            "assert 'grpc' not in sys.modules\n"
            "load_grpc()\n"
            "print(os.environ['GRPC_ENABLE_FORK_SUPPORT'])\n"
        )
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        printed = subprocess.run(
            [sys.executable, "-c", script], env=environ, check=True, capture_output=True, text=True
        )
        self.assertEqual(printed.stdout, "0\n")


class FailOverTests(ReportCase):
    @inlineCallbacks
    def test_first_is_down(self) -> Steps:
        """A call goes to the next Cuebot if the first doesn't listen."""
        cuebot = self.cuebot()
        yield self.interface(NOBODY, cuebot.endpoint).completion(completion(1))
        self.assertEqual(numbers(cuebot), [1])

    @inlineCallbacks
    def test_first_refuses(self) -> Steps:
        """A call goes to the next Cuebot if the first says "retry later"."""
        first, second = self.cuebot(), self.cuebot()
        first.always(COMPLETION, refuse("UNAVAILABLE"))
        yield self.interface(first.endpoint, second.endpoint).completion(completion(1))
        self.assertEqual((len(first.attempts), numbers(second)), (1, [1]))

    @inlineCallbacks
    def test_dies_in_flight(self) -> Steps:
        """A call is taken to the next Cuebot if the first dies with it."""
        first, second = self.cuebot(), self.cuebot()
        first.always(COMPLETION, hang)
        sent = self.interface(first.endpoint, second.endpoint).completion(completion(1))
        yield first.wait_for(lambda cuebot: cuebot.attempts)
        yield first.kill()
        yield sent
        self.assertEqual(numbers(second), [1])

    @inlineCallbacks
    def test_expiry(self) -> Steps:
        """When a connection is too old the next call goes to another Cuebot."""
        first, second = self.cuebot(), self.cuebot()
        client = self.client(first.endpoint, second.endpoint, expires=0.0)
        interface = ReportInterface(client, completion_timeout=30)
        for number in range(4):
            yield interface.completion(completion(number))
        self.assertEqual((numbers(first), numbers(second)), ([0, 2], [1, 3]))
        self.assertLessEqual(len(client._open), 1)


class OutboxTests(ReportCase):
    @inlineCallbacks
    def test_at_once(self) -> Steps:
        """Reports posted together all arrive, once each, and are settled."""
        cuebot = self.cuebot()
        outbox = self.outbox(self.interface(cuebot.endpoint).completion)
        for number in range(200):
            outbox.post(str(number), completion(number))
        self.assertTrue((yield outbox.drain(20)))
        self.assertEqual(sorted(numbers(cuebot)), list(range(200)))
        self.assertEqual(sorted(map(int, self.settled)), list(range(200)))

    @inlineCallbacks
    def test_hanging(self) -> Steps:
        """A report that hangs past its deadline holds up no other, and is sent again."""
        cuebot = self.cuebot()
        cuebot.script(COMPLETION, hang)
        outbox = self.outbox(self.interface(cuebot.endpoint, deadline=0.5).completion)
        outbox.post("0", completion(0))
        yield cuebot.wait_for(lambda cuebot: cuebot.attempts)
        for number in range(1, 50):
            outbox.post(str(number), completion(number))
        yield cuebot.wait_for(lambda cuebot: len(cuebot.completions) == 50)
        self.assertEqual(sorted(numbers(cuebot)[:49]), list(range(1, 50)))
        self.assertEqual(numbers(cuebot)[49], 0)

    @inlineCallbacks
    def test_slow(self) -> Steps:
        """A report that Cuebot takes its time for is taken once."""
        cuebot = self.cuebot()
        cuebot.script(COMPLETION, slow(0.3))
        outbox = self.outbox(self.interface(cuebot.endpoint).completion)
        outbox.post("0", completion(0))
        self.assertTrue((yield outbox.drain(20)))
        self.assertEqual(len(cuebot.attempts), 1)

    @inlineCallbacks
    def test_retry_later(self) -> Steps:
        """Reports that Cuebot answers with errors of all sorts are sent until it takes them."""
        cuebot = self.cuebot()
        codes = ("UNAVAILABLE", "INTERNAL", "ABORTED", "INVALID_ARGUMENT", "UNKNOWN")
        cuebot.script(COMPLETION, *map(refuse, codes))
        outbox = self.outbox(self.interface(cuebot.endpoint).completion)
        for number in range(3):
            outbox.post(str(number), completion(number))
        self.assertTrue((yield outbox.drain(20)))
        self.assertEqual(sorted(numbers(cuebot)), [0, 1, 2])

    @inlineCallbacks
    def test_cuebot_comes_late(self) -> Steps:
        """Reports wait for a Cuebot that isn't there yet, however often they are tried."""
        port = free_port()
        interface = self.interface(f"127.0.0.1:{port}")
        tries = iter(range(8))
        tried: Deferred[None] = Deferred()

        def send(report: bytes) -> Deferred[bytes]:
            if next(tries, None) is None and not tried.called:
                tried.callback(None)
            return interface.completion(report)

        outbox = self.outbox(send)
        for number in range(50):
            outbox.post(str(number), completion(number))
        yield tried
        cuebot = self.cuebot(port)
        self.assertTrue((yield outbox.drain(20)))
        self.assertEqual(sorted(numbers(cuebot)), list(range(50)))

    @inlineCallbacks
    def test_cuebot_restarts(self) -> Steps:
        """Reports outlive their Cuebot: the one that follows it gets what it had not taken."""
        first = self.cuebot()
        first.always(COMPLETION, hang)
        outbox = self.outbox(self.interface(first.endpoint).completion)
        for number in range(50):
            outbox.post(str(number), completion(number))
        yield first.wait_for(lambda cuebot: cuebot.attempts)
        yield first.kill()
        self.assertEqual(outbox.waiting, 50)
        second = self.cuebot(first.port)
        self.assertTrue((yield outbox.drain(20)))
        self.assertEqual(sorted(numbers(second)), list(range(50)))

    @inlineCallbacks
    def test_drain_without_cuebot(self) -> Steps:
        """The end of the agent doesn't wait for ever, and nothing is settled that wasn't taken."""
        outbox = self.outbox(self.interface(NOBODY).completion)
        outbox.post("0", completion(0))
        self.assertFalse((yield outbox.drain(0.2)))
        self.assertEqual(self.settled, [])


class PresenceTests(ReportCase):
    def presence(self, endpoint: str) -> Presence:
        """A host that tells the number of reports that it has built."""
        interface = self.interface(endpoint)
        built = itertools.count()
        delay = backoff(GrpcSettings(), at_most=5.0)
        heartbeat = Heartbeat(
            reactor=reactor,
            build=lambda: host_report(str(next(built))),
            send=interface.status,
            interval=0.05,
            backoff=delay,
        )

        def announcement() -> Deferred[None]:
            return Deferred.fromCoroutine(
                announce(
                    reactor=reactor,
                    build=report_pb2.BootReport,
                    send=interface.startup,
                    backoff=delay,
                )
            )

        presence = Presence(reactor=reactor, announce=announcement, heartbeat=heartbeat)
        self.addCleanup(presence.stop)
        return presence

    @inlineCallbacks
    def test_announced_then_alive(self) -> Steps:
        """Cuebot hears of a start once, also if it refuses at first, and then of the status."""
        cuebot = self.cuebot()
        cuebot.script(STARTUP, refuse(), refuse("INTERNAL"))
        self.presence(cuebot.endpoint).start()
        yield cuebot.wait_for(lambda cuebot: len(cuebot.statuses) == 3)
        self.assertEqual([kind for kind, _ in cuebot.attempts], [STARTUP] * 3 + [STATUS] * 3)
        self.assertEqual(len(cuebot.startups), 1)

    @inlineCallbacks
    def test_slow_cuebot(self) -> Steps:
        """Status reports never queue up behind a slow Cuebot."""
        cuebot = self.cuebot()
        cuebot.script(STATUS, slow(0.5))
        self.presence(cuebot.endpoint).start()
        yield cuebot.wait_for(lambda cuebot: len(cuebot.statuses) == 3)
        self.assertEqual([report.host.name for report in cuebot.statuses], ["0", "1", "2"])
