"""Which agents take part."""

from __future__ import annotations

from typing import Any

import grpc
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.client import CallFailed
from dummy_cuebot.roster import Roster
from tests.dummy_cuebot.examples import a_host_report
from tests.dummy_cuebot.fake_agent import FakeAgent


class Taking(SynchronousTestCase):
    def open(self, *named: str) -> None:
        self.clock, self.agents = Clock(), dict[str, FakeAgent]()
        self.admitted, self.told, self.forsaken = list[str](), list[str](), list[bool]()
        self.roster = Roster(
            named,
            reactor=self.clock,
            connect=self.connect,
            admit=lambda agent, report: self.admitted.append(agent.address),
            forsaken=lambda: self.forsaken.append(True),
            tell=self.told.append,
            patience=30,
            rqd_port=8444,
        )
        self.roster.open()

    def connect(self, target: str) -> Any:
        return self.agents.setdefault(target, FakeAgent(target))

    def test_named_agent_answers_then_reports(self) -> None:
        """A named agent takes part once it has answered and reported, in either order."""
        for answers_first in (True, False):
            self.open("a:1")
            steps = [
                lambda: self.agents["a:1"].reports[0].callback(a_host_report("a")),
                lambda: self.roster.reported("a"),
            ]
            for step in steps if answers_first else reversed(steps):
                self.assertEqual(self.admitted, [])
                step()
            self.assertEqual(self.admitted, ["a:1"])

    def test_strangers_stay_out(self) -> None:
        """Where agents are named, others that report aren't called."""
        self.open("a:1")
        self.roster.reported("b")
        self.assertEqual(list(self.agents), ["a:1"])

    def test_all_that_report(self) -> None:
        """Where none is named, each host that reports is called by its name, once."""
        self.open()
        self.roster.reported("b")
        self.roster.reported("b")
        self.agents["b:8444"].reports[0].callback(a_host_report("b"))
        self.assertEqual((self.admitted, len(self.agents["b:8444"].reports)), (["b:8444"], 1))

    def test_reports_elsewhere(self) -> None:
        """An agent that answers but never reports here is named, and can't be used."""
        self.open("a:1")
        self.agents["a:1"].reports[0].callback(a_host_report("a"))
        self.clock.advance(30)
        self.assertEqual(self.told, ["a at a:1 never reported here: are we its Cuebot?"])
        self.assertEqual(self.forsaken, [True])

    def test_absent(self) -> None:
        """An agent that doesn't answer is told and its connection closed."""
        self.open("a:1")
        self.agents["a:1"].reports[0].errback(CallFailed("gone", grpc.StatusCode.UNAVAILABLE))
        self.assertEqual((self.told, self.agents["a:1"].closed), (["gone"], True))

    def test_close(self) -> None:
        """All connections end with it."""
        self.open("a:1", "b:1")
        self.roster.close()
        self.assertTrue(all(agent.closed for agent in self.agents.values()))
