"""The stream of frame ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot import followers
from dummy_cuebot.followers import Followers


class Aborted(Exception):
    pass


class FakeCall:
    """A gRPC servicer context, as far as a stream needs one. ``greeting`` is called when the
    server greets, which real clients wait for before they cause an end."""

    def __init__(self, greeting: Callable[[], None] = lambda: None) -> None:
        self._greeting = greeting
        self._active = True
        self._over: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._over.append(callback)
        return True

    def send_initial_metadata(self, metadata: Any) -> None:
        self._greeting()

    def is_active(self) -> bool:
        return self._active

    def abort(self, code: Any, details: str) -> None:
        raise Aborted(details)

    def leave(self) -> None:
        self._active = False
        for callback in self._over:
            callback()


class Following(SynchronousTestCase):
    def setUp(self) -> None:
        self.followers = Followers()

    def follow(self, *ends: str) -> tuple[FakeCall, Iterator[str]]:
        """A follower; ``ends`` come as soon as it is greeted."""

        def publish() -> None:
            for end in ends:
                self.followers.publish(end)

        call = FakeCall(publish)
        return call, self.followers.follow(b"", call)

    def test_from_the_greeting_on(self) -> None:
        """A follower gets what ends after it was greeted, in order, and nothing from before."""
        self.followers.publish("before")
        _, stream = self.follow("a", "b")
        self.assertEqual([next(stream), next(stream)], ["a", "b"])

    def test_each_gets_all(self) -> None:
        """Followers don't take ends from each other."""
        _, first = self.follow("a")
        self.assertEqual(next(first), "a")
        _, second = self.follow("b")
        self.assertEqual([next(second), next(first)], ["b", "b"])

    def test_leaving(self) -> None:
        """A follower that left while nothing happened ends its stream."""
        call, stream = self.follow("a")
        next(stream)
        call.leave()
        self.assertEqual(list(stream), [])

    def test_too_many(self) -> None:
        """A server has room for only so many, and says so; who leaves makes room."""
        streams = [self.follow("a")[1] for _ in range(followers.MOST)]
        for stream in streams:
            next(stream)
        _, late = self.follow("a")
        self.assertRaises(Aborted, next, late)
        streams[0].close()
        _, later = self.follow("b")
        self.assertEqual(next(later), "b")

    def test_too_slow(self) -> None:
        """A follower that never reads is dropped once it lags too far, and holds nobody up."""
        _, stream = self.follow("a")
        next(stream)
        for _ in range(followers.BACKLOG + 1):
            self.followers.publish("x")
        self.assertLess(len(list(stream)), followers.BACKLOG + 1)
