"""From a launch to a frame: whom it becomes, before it is taken."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import RunnerSettings
from rqd.frame.launching import NAMES_PATIENCE, Launching
from rqd.frame.lifecycle import Frame
from rqd.frame.users import Identity
from rqd.refusals import InvalidRequest, Unavailable, WrongState
from tests.frame.place import Place


class LaunchingTests(SynchronousTestCase):
    """L{Launching}."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.place.change(live_as=self.live)
        self.identity: Identity | None = None

    def live(self, *facts: Any) -> Frame:
        """A frame as any other; whom it becomes is noted."""
        self.identity = facts[3]
        return Frame(*facts)

    def launch(self, changes: dict[str, Any], **runner: Any) -> Deferred[Frame]:
        launching = Launching(
            RunnerSettings(**runner),
            self.place.roster,
            reactor=self.place.reactor,
            workers=self.place.workers,
            site=lambda: self.place.site,
        )
        return launching.launch(self.place.spec(frame_id="f", **changes))

    def test_as_agent(self) -> None:
        """Unless users are asked for, frames run as whom the agent is."""
        self.successResultOf(self.launch({}))
        self.assertIsNone(self.identity)

    def test_as_user(self) -> None:
        """Whom a frame becomes is known before it is taken."""
        self.place.workers.hold("names")
        launched = self.launch({"uid": 2_000_111, "gid": 2_000_112}, run_as_user=True)
        self.assertEqual(self.place.roster.all(), [])
        self.place.workers.release("names")
        self.successResultOf(launched)
        self.assertEqual(self.identity, Identity(2_000_111, 2_000_112, ()))

    def test_root(self) -> None:
        """Root is refused, and leaves the frame free to be launched again."""
        self.failureResultOf(self.launch({"uid": 0}, run_as_user=True), InvalidRequest)
        self.successResultOf(self.launch({"uid": 2_000_111, "gid": 2_000_112}, run_as_user=True))

    def test_killed_meanwhile(self) -> None:
        """A kill that comes while names are looked up ends the launch."""
        self.place.workers.hold("names")
        launched = self.launch({"uid": 2_000_111, "gid": 2_000_112}, run_as_user=True)
        self.place.roster.kill("f", "not wanted")
        self.place.workers.release("names")
        self.failureResultOf(launched, WrongState)
        self.assertEqual(self.place.roster.all(), [])

    def test_slow_names(self) -> None:
        """A user database that doesn't answer is a refusal that can be tried again."""
        self.place.workers.hold("names")
        launched = self.launch({"uid": 2_000_111, "gid": 2_000_112}, run_as_user=True)
        self.place.reactor.advance(NAMES_PATIENCE)
        problem = self.failureResultOf(launched, Unavailable).value
        self.assertIn("5 s", problem.detail)
        self.place.workers.release("names")
        self.successResultOf(self.launch({"uid": 2_000_111, "gid": 2_000_112}, run_as_user=True))

    def test_as_nobody(self) -> None:
        """In a container nobody is root, whatever the agent is."""
        chosen = {"default_uid": 2_000_111, "default_gid": 2_000_112, "run_on_docker": True}
        self.successResultOf(self.launch({}, **chosen))
        self.assertEqual(self.identity, Identity(2_000_111, 2_000_112, ()))
