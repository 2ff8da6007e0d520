"""Which Cuebot is called, and when another."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import GrpcSettings
from rqd.report.connection import CuebotError
from rqd.report.cuebot import CuebotClient
from tests.report.fakes import Calls

EXPIRES = 3600.0


class FakeConnection:
    """Calls wait for the test to answer them; ``retired`` and ``closed`` are its end."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.heard_at = float("-inf")
        self.calls = Calls()
        self.retired = False
        self.closed: Deferred[None] = Deferred()

    def call(self, method: str, request: bytes, timeout: float) -> Deferred[bytes]:
        return self.calls((method, request, timeout))

    def retire(self) -> Deferred[None]:
        self.retired = True
        return self.closed

    def cancel(self) -> Deferred[None]:
        while self.calls.open:
            self.calls.refuse(error=CuebotError("CANCELLED", "stopped", self.endpoint))
        return self.closed


class CuebotCase(SynchronousTestCase):
    endpoints = ("a:8443", "b:8443", "c:8443")

    def setUp(self) -> None:
        self.clock = Clock()
        self.made: list[FakeConnection] = []
        self.client = CuebotClient(
            reactor=self.clock,
            settings=GrpcSettings(
                cuebot_endpoints=self.endpoints, connection_expires_after=EXPIRES
            ),
            connect=self.connect,
            shuffle=lambda endpoints: None,
        )

    def connect(self, reactor: Any, endpoint: str) -> Any:
        self.made.append(FakeConnection(endpoint))
        return self.made[-1]

    def call(self, timeout: float = 30.0) -> Deferred[bytes]:
        return self.client.call("/method", b"request", timeout)

    def fail(self, connection: int, code: str, call: int = 0) -> None:
        made = self.made[connection]
        made.calls.refuse(call, CuebotError(code, "as told", made.endpoint))

    def used(self) -> list[str]:
        return [connection.endpoint for connection in self.made]


class FailOverTests(CuebotCase):
    def test_success(self) -> None:
        """Calls share one connection while all is well."""
        for _ in range(3):
            done = self.call()
            self.made[0].calls.take()
            self.assertEqual(self.successResultOf(done), b"")
        self.assertEqual(self.used(), ["a:8443"])

    def test_chosen_at_random(self) -> None:
        """Which Cuebot comes first is up to the dice."""
        CuebotClient(
            reactor=self.clock,
            settings=GrpcSettings(cuebot_endpoints=self.endpoints),
            connect=self.connect,
            shuffle=lambda endpoints: endpoints.reverse(),
        ).call("/method", b"", 1)
        self.assertEqual(self.used(), ["c:8443"])

    def test_fail_over(self) -> None:
        """A call that a Cuebot doesn't take goes to the next in the same turn, and stays there."""
        done = self.call()
        self.fail(0, "UNAVAILABLE")
        self.made[1].calls.take()
        self.successResultOf(done)
        self.call()
        self.assertEqual(self.used(), ["a:8443", "b:8443"])
        self.assertTrue(self.made[0].retired)

    def test_all_down(self) -> None:
        """A call tries each Cuebot once, then fails as the last one did."""
        done = self.call()
        for connection in range(3):
            self.fail(connection, "UNAVAILABLE")
        error = self.failureResultOf(done, CuebotError).value
        self.assertEqual((error.code, error.endpoint), ("UNAVAILABLE", "c:8443"))
        self.call()
        self.assertEqual(self.used(), ["a:8443", "b:8443", "c:8443", "a:8443"])

    def test_time_is_shared(self) -> None:
        """The second Cuebot gets the time that the first one left."""
        self.call(timeout=30)
        self.clock.advance(10)
        self.fail(0, "UNAVAILABLE")
        self.assertEqual(self.made[1].calls.sent[0], ("/method", b"request", 20.0))

    def test_deadline(self) -> None:
        """A call past its deadline fails; the next call goes to another Cuebot."""
        done = self.call(timeout=30)
        self.clock.advance(30)
        self.fail(0, "DEADLINE_EXCEEDED")
        self.assertEqual(self.failureResultOf(done, CuebotError).value.code, "DEADLINE_EXCEEDED")
        self.call()
        self.assertEqual(self.used(), ["a:8443", "b:8443"])

    def test_overslept(self) -> None:
        """A call that gRPC itself doesn't end is ended, with its connection and all beside it."""
        first, second = self.call(timeout=30), self.call(timeout=60)
        self.clock.advance(30)
        self.assertNoResult(first)
        self.clock.advance(3)
        self.assertEqual(self.failureResultOf(first, CuebotError).value.code, "DEADLINE_EXCEEDED")
        self.assertTrue(self.made[0].retired)
        self.assertEqual(self.used(), ["a:8443", "b:8443"])
        self.made[1].calls.take()
        self.assertEqual(self.successResultOf(second), b"")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_hangs(self) -> None:
        """A connection that answered other calls meanwhile is kept."""
        hanging = self.call(timeout=30)
        self.clock.advance(10)
        self.call()
        self.made[0].calls.take(1)
        self.clock.advance(20)
        self.fail(0, "DEADLINE_EXCEEDED")
        self.failureResultOf(hanging, CuebotError)
        self.call()
        self.assertEqual(self.used(), ["a:8443"])

    def test_about_the_request(self) -> None:
        """A request that a Cuebot finds wrong is not taken to another."""
        done = self.call()
        self.fail(0, "INVALID_ARGUMENT")
        self.failureResultOf(done, CuebotError)
        self.call()
        self.assertEqual(self.used(), ["a:8443"])

    def test_many_calls_fail(self) -> None:
        """Calls that fail together turn to one other Cuebot together."""
        for _ in range(5):
            self.call()
        for _ in range(5):
            self.fail(0, "UNAVAILABLE")
        self.assertEqual(self.used(), ["a:8443", "b:8443"])
        self.assertEqual(len(self.made[1].calls.open), 5)

    def test_expiry(self) -> None:
        """An old connection is left to its calls, and a new one made to another Cuebot."""
        done = self.call(timeout=2 * EXPIRES)
        self.clock.advance(EXPIRES)
        self.call()
        self.assertEqual(self.used(), ["a:8443", "b:8443"])
        self.assertTrue(self.made[0].retired)
        self.made[0].calls.take()
        self.successResultOf(done)

    def test_cancelled(self) -> None:
        """A cancelled call is cancelled at the Cuebot, and tried nowhere else."""
        done = self.call()
        done.cancel()
        self.failureResultOf(done)
        self.assertEqual(self.made[0].calls.open, [])
        self.assertEqual(len(self.made), 1)


class SingleCuebotTests(CuebotCase):
    endpoints = ("only:8443",)

    def test_reconnects(self) -> None:
        """With one Cuebot a call fails at once, and the next one has a fresh connection."""
        done = self.call()
        self.fail(0, "UNAVAILABLE")
        self.failureResultOf(done, CuebotError)
        self.call()
        self.assertEqual(self.used(), ["only:8443", "only:8443"])


class StopTests(CuebotCase):
    def test_stop(self) -> None:
        """A stop fails the calls in flight, also those of connections left before."""
        calls = [self.call(timeout=2 * EXPIRES)]
        self.clock.advance(EXPIRES)
        calls.append(self.call())
        stopped = self.client.stop()
        for call in calls:
            self.assertEqual(self.failureResultOf(call, CuebotError).value.code, "CANCELLED")
        self.assertNoResult(stopped)
        for connection in self.made:
            connection.closed.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(len(self.made), 2)

    def test_stopped(self) -> None:
        """A call after the stop fails at once, with a sentence."""
        self.successResultOf(self.client.stop())
        error = self.failureResultOf(self.call(), CuebotError).value
        self.assertIn("stopping", error.detail)
        self.assertEqual(self.made, [])

    def test_bounded(self) -> None:
        """A stop doesn't wait long for calls that won't end."""
        call = self.call()
        stopped = self.client.stop()
        self.failureResultOf(call, CuebotError)
        self.clock.advance(2)
        self.successResultOf(stopped)


class LiveTests(CuebotCase):
    """What can be asked and changed while calls go on."""

    def test_answers(self) -> None:
        """A refusal is an answer, too."""
        self.assertIsNone(self.client.answers)
        for code, answers in (("INVALID_ARGUMENT", True), ("UNAVAILABLE", False)):
            asked = self.client.call("/m", b"", 1.0)
            while self.made[-1].calls.open:
                self.made[-1].calls.refuse(error=CuebotError(code, "no", "a"))
            self.failureResultOf(asked, CuebotError)
            self.assertEqual(self.client.answers, answers)

    def test_turn_to(self) -> None:
        """Other Cuebots are called from now on; the connection that was open may end its calls."""
        self.client.turn_to(["d:8443"])
        asked = self.client.call("/m", b"", 1.0)
        self.client.turn_to(["e:8443"])
        self.assertTrue(self.made[0].retired)
        self.made[0].calls.take()
        self.assertEqual(self.successResultOf(asked), b"")
        self.client.call("/m", b"", 1.0)
        self.assertEqual([each.endpoint for each in self.made], ["d:8443", "e:8443"])
