"""Many logs, looked at together."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.logging.rounds import PERIOD, Found, Rounds
from tests.logging.seams import InlineWorkers


class FakeLog:
    """Notes what it is told."""

    def __init__(self, path: str, rounds: Rounds) -> None:
        self.path = path
        self.rounds = rounds
        self.found: list[Found] = []
        self.problem: OSError | None = None
        self.leaves_at_news: FakeLog | None = None

    def look(self) -> tuple[int, float]:
        """As in ``Watched``."""
        if self.problem is not None:
            raise self.problem
        return 7, 1.0

    def looked(self, found: Found) -> None:
        """As in ``Watched``."""
        self.found.append(found)
        if self.leaves_at_news is not None:
            self.rounds.leave(self.leaves_at_news)


class RoundsTests(SynchronousTestCase):
    """L{Rounds}, of mounts named by the first folder of a path."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.workers = InlineWorkers()
        self.rounds = Rounds(
            reactor=self.clock, workers=self.workers, mount_of=lambda path: path.split("/")[1]
        )

    def log(self, path: str = "/a/x") -> FakeLog:
        log = FakeLog(path, self.rounds)
        self.rounds.join(log)
        return log

    def test_one_job(self) -> None:
        """All logs of a mount are one job."""
        logs = [self.log() for _ in range(100)]
        self.clock.advance(PERIOD)
        self.assertEqual(self.workers.done, 1)
        self.assertTrue(all(log.found == [(7, 1.0)] for log in logs))

    def test_mounts(self) -> None:
        """A mount that hangs holds up no other's logs."""
        dead = self.log("/dead/x")
        self.workers.held = True
        self.clock.advance(PERIOD)
        self.workers.held = False
        alive = self.log("/alive/x")
        self.clock.pump([PERIOD] * 3)
        self.assertEqual((len(dead.found), len(alive.found)), (0, 3))
        self.workers.release()
        self.clock.advance(PERIOD)
        self.assertEqual(len(dead.found), 2)

    def test_failure(self) -> None:
        """One that can't be looked at is told so, and keeps no other from its news."""
        bad, good = self.log(), self.log()
        bad.problem = OSError("gone")
        self.clock.advance(PERIOD)
        self.assertEqual((bad.found, good.found), ([bad.problem], [(7, 1.0)]))

    def test_leave(self) -> None:
        """Who has left hears nothing more, also of a look that was under way; then all is quiet."""
        log = self.log()
        self.workers.held = True
        self.clock.advance(PERIOD)
        self.rounds.leave(log)
        self.rounds.leave(log)
        self.workers.release()
        self.assertEqual(log.found, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_leave_by_news(self) -> None:
        """The news of one may be the end of another."""
        first, second = self.log(), self.log()
        first.leaves_at_news = second
        self.clock.advance(PERIOD)
        self.assertEqual((len(first.found), len(second.found)), (1, 0))

    def test_late(self) -> None:
        """Who joins while a look is under way is looked at in the next round."""
        self.log()
        self.workers.held = True
        self.clock.advance(PERIOD)
        late = self.log()
        self.workers.release()
        self.assertEqual(late.found, [])
        self.clock.advance(PERIOD)
        self.assertEqual(len(late.found), 1)

    def test_bad_news(self) -> None:
        """A log that can't bear its news is logged, and the rounds go on."""
        log = self.log()
        log.leaves_at_news = FakeLog("/a/y", None)  # type: ignore[arg-type]
        log.rounds = None  # type: ignore[assignment]
        self.clock.pump([PERIOD] * 2)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 2)
        self.assertEqual(len(log.found), 2)
