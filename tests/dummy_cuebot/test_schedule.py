"""The order of frames, and what their ends do to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.job import Expectation
from dummy_cuebot.schedule import NIMBY_KILL, Schedule, State
from tests.dummy_cuebot.examples import a_job, a_layer


def open_names(schedule: Schedule) -> list[str]:
    return [layer.name for layer in schedule.open_layers()]


class Order(SynchronousTestCase):
    def test_dependencies(self) -> None:
        """A layer opens once every frame of those before it is done, not sooner."""
        plates, comp = a_layer("plates", last=2), a_layer("comp", after=("plates",))
        schedule = Schedule(a_job(plates, comp))
        first, second = schedule.start(plates), schedule.start(plates)
        schedule.ended(first, 0, 0, 0)
        self.assertEqual(open_names(schedule), [])
        schedule.ended(second, 0, 0, 0)
        self.assertEqual(open_names(schedule), ["comp"])

    def test_frames_in_order(self) -> None:
        """The frames of a layer start in the order of their numbers."""
        layer = a_layer(last=10, chunk=4)
        schedule = Schedule(a_job(layer))
        self.assertEqual([schedule.start(layer).name for _ in range(3)],
                         ["0001-render", "0005-render", "0009-render"])  # fmt: skip

    def test_stuck_behind_the_dead(self) -> None:
        """Frames behind a dead one never start, and the job is finished without them."""
        a, b = a_layer("a"), a_layer("b", after=("a",))
        schedule = Schedule(a_job(a, b))
        schedule.ended(schedule.start(a), 1, 0, 0)
        self.assertTrue(schedule.finished)
        self.assertEqual([frame.state for frame in schedule.frames], [State.DEAD, State.WAITING])


class Ends(SynchronousTestCase):
    def end(self, *end: int, **layer: object) -> tuple[State, str]:
        render = a_layer(**layer)
        schedule = Schedule(a_job(render))
        frame = schedule.start(render)
        return schedule.ended(frame, *end), frame.why

    def test_expected_failure(self) -> None:
        """A frame that fails as it should is done."""
        self.assertEqual(self.end(3, 0, 0, expect=Expectation(3)), (State.DONE, ""))

    def test_unexpected_success(self) -> None:
        """A frame that should fail and doesn't is dead, with the reason."""
        self.assertEqual(
            self.end(0, 0, 0, expect=Expectation(3)), (State.DEAD, "exit 0, expected exit 3")
        )

    def test_signal(self) -> None:
        """An expected signal takes any status; an unexpected one fails an expected status."""
        self.assertEqual(self.end(1, 15, 0, expect=Expectation(None, 15))[0], State.DONE)
        self.assertEqual(
            self.end(1, 9, 0, expect=Expectation(1)),
            (State.DEAD, "exit 1 signal 9, expected exit 1"),
        )

    def test_memory(self) -> None:
        """A frame that reported less memory than it must have used is dead."""
        self.assertEqual(
            self.end(0, 0, 1024, expect=Expectation(0, 0, 2048)),
            (State.DEAD, "max rss 1 MiB, expected 2 MiB or more"),
        )

    def test_retry(self) -> None:
        """A failed frame waits again for as many times as it has retries."""
        render = a_layer(retries=1)
        schedule = Schedule(a_job(render))
        states = [schedule.ended(schedule.start(render), 1, 0, 0) for _ in range(2)]
        self.assertEqual(states, [State.WAITING, State.DEAD])

    def test_nimby_kill_is_free(self) -> None:
        """A frame that made way for a workstation's user waits again and spends no retry."""
        render = a_layer(retries=1)
        schedule = Schedule(a_job(render))
        for _ in range(5):
            self.assertIs(schedule.ended(schedule.start(render), NIMBY_KILL, 15, 0), State.WAITING)
        self.assertEqual(schedule.frames[0].retries_left, 1)

    @given(st.lists(st.sampled_from([0, 1, NIMBY_KILL]), max_size=60), st.integers(0, 3))
    def test_counts(self, statuses: list[int], retries: int) -> None:
        """Whatever the ends, every frame is in one state and the counters agree with them."""
        layers = a_layer("a", last=4, retries=retries), a_layer("b", last=2, after=("a",))
        schedule = Schedule(a_job(*layers))
        for status in statuses:
            layer = next(schedule.open_layers(), None)
            if layer is None:
                break
            schedule.ended(schedule.start(layer), status, 0, 0)
        states = [frame.state for frame in schedule.frames]
        settled = states.count(State.DONE) + states.count(State.DEAD)
        self.assertEqual((schedule.running, schedule.ended_for_good), (0, settled))
        self.assertEqual(len(states), schedule.total)
