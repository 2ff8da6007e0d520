"""The order in which completions are tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.report.queue import IN_PLACE, Completion, Queue


def completion(sequence: int) -> Completion:
    return Completion(sequence, f"key {sequence}", b"")


def drained(queue: Queue) -> list[int]:
    return [queue.pop().sequence for _ in range(len(queue))]


class QueueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.queue = Queue()

    @given(st.permutations(range(8)))
    def test_order(self, order: list[int]) -> None:
        """The oldest is tried first, whenever it was put in."""
        queue = Queue()
        for sequence in order:
            queue.push(completion(sequence))
        self.assertEqual(drained(queue), sorted(order))

    def test_turns(self) -> None:
        """Within a spell each report is tried once before one is tried twice."""
        for sequence in range(3):
            self.queue.push(completion(sequence))
        tried = []
        for _ in range(6):
            tried.append(self.queue.pop())
            self.queue.failed(tried[-1])
        self.assertEqual([c.sequence for c in tried], [0, 1, 2, 0, 1, 2])

    def test_spell_ends(self) -> None:
        """After a spell all are in order again, those that failed in it included."""
        for sequence in range(3):
            self.queue.push(completion(sequence))
        self.queue.failed(self.queue.pop())
        self.queue.pop()
        self.assertEqual(self.queue.end_spell(), [])
        self.assertEqual(drained(self.queue), [0, 2])

    def test_refused(self) -> None:
        """One that fails in a second spell that another's success ended is set apart."""
        refused = completion(0)
        for _ in range(2):
            self.queue.push(refused)
            self.queue.push(completion(1))
            self.queue.failed(self.queue.pop())
            self.queue.pop()
            apart = self.queue.end_spell()
            drained(self.queue)
        self.assertEqual(apart, [refused])
        self.assertEqual(refused.refusals, 2)

    def test_long_spell(self) -> None:
        """However often a report fails in one spell, it is not to blame more than once."""
        self.queue.push(completion(0))
        for _ in range(10):
            self.queue.failed(self.queue.pop())
        self.assertEqual(self.queue.end_spell(), [])
        self.assertEqual(self.queue.pop().refusals, 1)

    def test_nobody_there(self) -> None:
        """Where nobody is there to take it, the oldest is tried, now and then another in turn."""
        for sequence in range(4):
            self.queue.push(completion(sequence))
        tried = []
        for _ in range(3 * (IN_PLACE + 2)):
            tried.append(self.queue.pop())
            self.queue.found_nobody(tried[-1])
        others = [c.sequence for c in tried if c.sequence]
        self.assertEqual(others, [1, 2, 3])
        self.assertEqual(len(self.queue), 4)
        self.assertEqual(self.queue.end_spell(), [])
        self.assertEqual(drained(self.queue), [0, 1, 2, 3])

    def test_nobody_there_for_one(self) -> None:
        """One is to blame if another is taken in its stead."""
        first, second = completion(0), completion(1)
        for each in (first, second):
            self.queue.push(each)
        while self.queue.pop() is first:
            self.queue.found_nobody(first)
        self.assertEqual(self.queue.end_spell(), [])
        self.assertEqual((first.refusals, second.refusals), (1, 0))
        self.queue.found_nobody(self.queue.pop())
        self.queue.push(second)
        self.assertIs(self.queue.pop(), second)

    def test_nobody_there_alone(self) -> None:
        """The only one is tried, however often."""
        only = completion(0)
        self.queue.push(only)
        for _ in range(3 * IN_PLACE):
            self.assertIs(self.queue.pop(), only)
            self.queue.found_nobody(only)
        self.assertEqual(len(self.queue), 1)
