"""What the scheduler says to agents, and when."""

from __future__ import annotations

import grpc
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.booking import Booker
from dummy_cuebot.dispatch import PAUSE, STOP_PATIENCE, Dispatch
from dummy_cuebot.job import Expectation, Layer
from dummy_cuebot.reports import STATUS, Report
from dummy_cuebot.schedule import Schedule, State
from tests.dummy_cuebot.examples import a_completion, a_host_report, a_job, a_layer
from tests.dummy_cuebot.fake_agent import FakeAgent


class Dispatching(SynchronousTestCase):
    def start(self, *layers: Layer, cores: int = 200) -> None:
        """A job on one host."""
        job = a_job(*layers)
        self.clock, self.agent, self.told = Clock(), FakeAgent(), list[str]()
        self.dispatch = Dispatch(
            Schedule(job), Booker(job), reactor=self.clock, tell=self.told.append
        )
        self.dispatch.add_host(self.agent, a_host_report(cores=cores))

    def end(self, resource_id: str, status: int = 0, signal: int = 0) -> None:
        self.dispatch.take(a_completion(resource_id, status, signal))

    def states(self) -> list[State]:
        return [frame.state for frame in self.dispatch.schedule.frames]

    def test_fills_the_idle_cores(self) -> None:
        """As many frames start as the host has cores for, and no more."""
        self.start(a_layer(last=5), cores=250)
        self.assertEqual(self.agent.names, ["0001-render", "0002-render"])

    def test_the_next_one_at_each_completion(self) -> None:
        """A completion is followed by the next launch at once, with no time passing."""
        self.start(a_layer(last=3), cores=100)
        self.end(self.agent.accept())
        self.assertEqual(self.agent.names, ["0001-render", "0002-render"])

    def test_completion_before_the_answer(self) -> None:
        """A frame that ends before its launch is answered has ended, whatever the answer."""
        self.start(a_layer())
        run_frame, _ = self.agent.launches[0]
        self.end(run_frame.resource_id)
        self.agent.refuse(grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertEqual(self.states(), [State.DONE])
        self.successResultOf(self.dispatch.finished)

    def test_each_launch_has_its_own_resource_id(self) -> None:
        """A retry is the same frame under a new resource id, and a late twin is ignored."""
        self.start(a_layer(retries=1), cores=100)
        first = self.agent.accept()
        self.end(first, 1)
        self.end(first, 1)
        second = self.agent.accept()
        self.assertNotEqual(first, second)
        frames = {run_frame.frame_id for run_frame, _ in self.agent.launches}
        self.assertEqual((len(frames), self.states()), (1, [State.RUNNING]))

    def test_refused_completion_is_not_taken(self) -> None:
        """A completion that was answered with an error comes again: only then it counts."""
        self.start(a_layer())
        report = a_completion(self.agent.accept())
        self.dispatch.take(Report(report.kind, 0.0, "", report.message, refused=True))
        self.assertEqual(self.states(), [State.RUNNING])

    def test_a_full_host_is_left_alone_for_a_while(self) -> None:
        """A launch that is refused for want of cores waits, then is tried again."""
        self.start(a_layer())
        self.agent.refuse(grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(self.states(), [State.WAITING])
        self.clock.advance(PAUSE)
        self.assertEqual(len(self.agent.launches), 2)
        self.assertEqual(self.agent.kills, [])

    def test_unanswered_launch_is_killed(self) -> None:
        """An agent that doesn't answer a launch may have started it, so it is told to end it."""
        self.start(a_layer())
        self.agent.refuse(grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertEqual(self.agent.kills[0][0], self.agent.launches[0][0].frame_id)
        self.assertEqual(self.states(), [State.WAITING])

    def test_hopeless_launch(self) -> None:
        """A request that the agent finds malformed isn't sent again."""
        self.start(a_layer())
        self.agent.refuse(grpc.StatusCode.INVALID_ARGUMENT)
        self.assertEqual(self.dispatch.schedule.frames[0].why, "refused")
        self.successResultOf(self.dispatch.finished)

    def test_kills_as_the_job_file_says(self) -> None:
        """A layer with kill_after_seconds is killed that long after its launch was taken."""
        self.start(a_layer(kill_after=2.0, expect=Expectation(None, 15)))
        resource_id = self.agent.accept()
        self.clock.advance(2)
        self.assertEqual(len(self.agent.kills), 1)
        self.end(resource_id, 1, 15)
        self.assertEqual(self.states(), [State.DONE])

    def test_no_kill_after_the_end(self) -> None:
        """A frame that ended sooner isn't killed."""
        self.start(a_layer(kill_after=2.0))
        self.end(self.agent.accept())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_locked_and_foreign_cores(self) -> None:
        """Cores that a report shows as locked or used by others aren't booked."""
        self.start(a_layer(last=4), cores=400)
        for index in range(4):
            self.end(self.agent.accept(index))
        self.start(a_layer(last=9), cores=0)
        report = a_host_report(cores=400, locked_cores=100)
        report.frames.add(resource_id="somebody else's", num_cores=200)
        self.dispatch.take(Report(STATUS, 0.0, "", report))
        self.assertEqual(len(self.agent.launches), 1)

    def test_waits_aloud_for_cores(self) -> None:
        """A frame too big for every host is told once, not at every report."""
        self.start(a_layer(cores=800), cores=400)
        self.dispatch.take(Report(STATUS, 0.0, "", a_host_report(cores=400)))
        self.assertEqual(self.told, ["layer render waits for 8 cores, 4 are idle"])

    def test_the_idlest_host(self) -> None:
        """With several hosts a frame goes where most cores are idle."""
        self.start(a_layer(last=3), cores=100)
        other = FakeAgent("host2:8444")
        self.dispatch.add_host(other, a_host_report("host2", cores=200))
        self.assertEqual((len(self.agent.launches), len(other.launches)), (1, 2))

    def test_stop(self) -> None:
        """A stopped job kills its frames, starts no more, and is over when they have ended."""
        self.start(a_layer(last=2), cores=100)
        resource_id = self.agent.accept()
        stopped = self.dispatch.stop()
        self.assertEqual(len(self.agent.kills), 1)
        self.assertNoResult(stopped)
        self.end(resource_id, 1, 15)
        self.successResultOf(stopped)
        self.assertEqual(len(self.agent.launches), 1)

    def test_stop_during_a_launch(self) -> None:
        """A kill may reach the agent before the launch does: it is sent again after the answer."""
        self.start(a_layer())
        self.dispatch.stop()
        self.agent.accept()
        self.assertEqual(len(self.agent.kills), 2)

    def test_stop_is_bounded(self) -> None:
        """Frames whose end never comes don't hold the program for ever."""
        self.start(a_layer())
        self.agent.accept()
        stopped = self.dispatch.stop()
        self.clock.advance(STOP_PATIENCE)
        self.successResultOf(stopped)
        self.assertEqual(self.told[-1], "gave up waiting for the end of 0001-render")
