"""The ledger gives away no point and no core twice, and gets back all."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from rqd.refusals import AlreadyRunning, InvalidRequest, NotEnough
from rqd.system.reservations import CoreCounts, Ledger, Reservation
from rqd.system.topology import Topology, parse_cpuinfo
from tests.system.fake_proc import cpuinfo


def host(*sockets: int, threads: int = 2) -> Topology:
    """A host of sockets with so many cores."""
    return parse_cpuinfo(cpuinfo([[threads] * cores for cores in sockets]))


class ReserveTests(SynchronousTestCase):
    """Points."""

    def setUp(self) -> None:
        self.ledger = Ledger(host(4, 4), total=800)

    def test_fractions(self) -> None:
        """A fraction of a core can be booked; it is never pinned."""
        self.assertEqual(self.ledger.reserve("a", 20, pin=True), Reservation(20))
        self.assertEqual(self.ledger.counts(), CoreCounts(800, 780, 0, 20))

    def test_too_many(self) -> None:
        """More than is idle is refused with a sentence that says what there is."""
        self.ledger.reserve("a", 500, pin=False)
        self.ledger.lock(200)
        refusal = self.assertRaises(NotEnough, self.ledger.reserve, "b", 101, pin=False)
        self.assertEqual(
            refusal.detail, "101 core points wanted, 100 idle (of 800: 500 booked, 200 locked)"
        )
        self.assertEqual(self.ledger.counts().booked, 500)

    def test_nothing(self) -> None:
        """No points or fewer cannot be booked."""
        for points in (0, -1):
            self.assertRaises(InvalidRequest, self.ledger.reserve, "a", points, pin=False)

    def test_duplicate(self) -> None:
        """A key that holds cores gets no second reservation, and keeps its first."""
        self.ledger.reserve("a", 100, pin=False)
        self.assertRaises(AlreadyRunning, self.ledger.reserve, "a", 100, pin=False)
        self.assertRaises(AlreadyRunning, self.ledger.adopt, "a", Reservation(100))
        self.assertEqual(self.ledger.counts().booked, 100)

    def test_release(self) -> None:
        """A release gives all back, once, and an unknown key is no mistake."""
        self.ledger.reserve("a", 300, pin=True)
        for _ in range(2):
            self.ledger.release("a")
        self.ledger.release("never heard of")
        self.assertEqual(self.ledger.counts(), CoreCounts(800, 800, 0, 0))


class PinTests(SynchronousTestCase):
    """Whole cores."""

    def test_hyper_threads(self) -> None:
        """A pinned core comes with all its hyper-threads."""
        ledger = Ledger(host(2, threads=2), total=200)
        self.assertEqual(ledger.reserve("a", 100, pin=True).threads, (0, 2))
        self.assertEqual(ledger.reserve("b", 100, pin=True).threads, (1, 3))

    def test_only_when_asked(self) -> None:
        """Whole cores are not pinned for one that doesn't ask."""
        self.assertEqual(Ledger(host(2), total=200).reserve("a", 100, pin=False).threads, ())

    def test_most_idle_socket_first(self) -> None:
        """Frames go to the socket with the most free cores, the first of equals."""
        ledger = Ledger(host(4, 4, threads=1), total=800)
        taken = [ledger.reserve(key, 100, pin=True).threads[0] // 4 for key in "abcd"]
        self.assertEqual(taken, [0, 1, 0, 1])

    def test_one_socket(self) -> None:
        """A frame stays on one socket if one has room for all of it."""
        ledger = Ledger(host(4, 4, threads=1), total=800)
        ledger.reserve("a", 100, pin=True)
        self.assertEqual(ledger.reserve("b", 400, pin=True).threads, (4, 5, 6, 7))

    def test_several_sockets(self) -> None:
        """One too big for any socket begins on the most idle one."""
        ledger = Ledger(host(4, 4, threads=1), total=800)
        ledger.reserve("a", 100, pin=True)
        self.assertEqual(ledger.reserve("b", 500, pin=True).threads, (1, 4, 5, 6, 7))

    def test_freed(self) -> None:
        """A released core is pinned again."""
        ledger = Ledger(host(1), total=100)
        for _ in range(3):
            self.assertEqual(ledger.reserve("a", 100, pin=True).threads, (0, 1))
            ledger.release("a")

    def test_more_points_than_cores(self) -> None:
        """Where points outnumber cores, who finds none free runs unpinned."""
        ledger = Ledger(host(2), total=800)
        self.assertEqual(len(ledger.reserve("a", 200, pin=True).threads), 4)
        self.assertEqual(ledger.reserve("b", 100, pin=True), Reservation(100))
        self.assertEqual(ledger.counts().booked, 300)


class AdoptTests(SynchronousTestCase):
    """Frames of an earlier agent."""

    def test_pinned_cores_stay_taken(self) -> None:
        """What an adopted frame is pinned to is given to nobody else until it ends."""
        ledger = Ledger(host(2), total=200)
        ledger.adopt("old", Reservation(100, (0, 2)))
        self.assertEqual(ledger.reserve("new", 100, pin=True).threads, (1, 3))
        ledger.release("old")
        self.assertEqual(ledger.reserve("next", 100, pin=True).threads, (0, 2))

    def test_locked(self) -> None:
        """A lock doesn't keep out what runs already."""
        ledger = Ledger(host(2), total=200)
        ledger.lock_all()
        ledger.adopt("old", Reservation(150))
        self.assertEqual(ledger.counts(), CoreCounts(200, 0, 50, 150))

    def test_more_than_there_is(self) -> None:
        """Frames that hold more than a smaller configuration has are shown as all of it."""
        ledger = Ledger(host(2), total=200)
        ledger.adopt("old", Reservation(300, (0, 1, 77)))
        self.assertEqual(ledger.counts(), CoreCounts(200, 0, 0, 200))
        ledger.release("old")
        self.assertEqual(ledger.counts(), CoreCounts(200, 200, 0, 0))


class LockTests(SynchronousTestCase):
    """Locks."""

    def setUp(self) -> None:
        self.ledger = Ledger(host(4), total=400)

    def test_at_most_all(self) -> None:
        """A lock stops at what there is, an unlock at nothing."""
        self.ledger.lock(300)
        self.ledger.lock(300)
        self.assertEqual(self.ledger.counts(), CoreCounts(400, 0, 400, 0))
        self.ledger.unlock(10_000)
        self.assertEqual(self.ledger.counts(), CoreCounts(400, 400, 0, 0))

    def test_freed_cores_are_locked(self) -> None:
        """What was in use when it was to be locked is locked as soon as it is free."""
        self.ledger.reserve("a", 250, pin=False)
        self.ledger.lock_all()
        self.assertEqual(self.ledger.counts(), CoreCounts(400, 0, 150, 250))
        self.assertEqual(self.ledger.locked_wanted, 400)
        self.ledger.release("a")
        self.assertEqual(self.ledger.counts(), CoreCounts(400, 0, 400, 0))

    def test_unlock(self) -> None:
        """Unlocked cores can be booked again, part by part or all at once."""
        self.ledger.lock_all()
        self.assertRaises(NotEnough, self.ledger.reserve, "a", 100, pin=False)
        self.ledger.unlock(100)
        self.ledger.reserve("a", 100, pin=False)
        self.ledger.unlock_all()
        self.assertEqual(self.ledger.counts(), CoreCounts(400, 300, 0, 100))

    def test_negative(self) -> None:
        """A negative number is refused and changes nothing."""
        self.ledger.lock(100)
        self.assertRaises(InvalidRequest, self.ledger.lock, -1)
        self.assertRaises(InvalidRequest, self.ledger.unlock, -1)
        self.assertEqual(self.ledger.counts().locked, 100)


class AnySequence(RuleBasedStateMachine):
    """Random operations on a small host of two uneven sockets whose points exceed its cores."""

    TOTAL = 900
    KEYS = st.sampled_from("abcdefgh")

    def __init__(self) -> None:
        super().__init__()
        self.topology = host(4, 3)
        self.ledger = Ledger(self.topology, total=self.TOTAL)
        self.held: dict[str, Reservation] = {}

    @rule(
        key=KEYS,
        points=st.one_of(st.integers(-1, 1000), st.integers(1, 9).map(lambda n: n * 100)),
        pin=st.booleans(),
    )
    def reserve(self, key: str, points: int, pin: bool) -> None:
        """A reservation that fits is made, any other leaves no trace."""
        idle = self.ledger.counts().idle
        try:
            reservation = self.ledger.reserve(key, points, pin=pin)
        except (AlreadyRunning, InvalidRequest, NotEnough):
            assert key in self.held or not 0 < points <= idle
            return
        assert reservation.points == points <= idle
        assert len(reservation.threads) in (0, 2 * points / 100)
        self.held[key] = reservation

    @rule(key=KEYS, points=st.integers(1, 500))
    def adopt(self, key: str, points: int) -> None:
        """An adopted frame is taken, whatever is free."""
        if key not in self.held:
            self.held[key] = Reservation(points)
            self.ledger.adopt(key, self.held[key])

    @rule(key=KEYS)
    def release(self, key: str) -> None:
        """Known or not."""
        self.ledger.release(key)
        self.held.pop(key, None)

    @rule(points=st.integers(0, 1200))
    def lock(self, points: int) -> None:
        """Any number."""
        self.ledger.lock(points)

    @rule(points=st.integers(0, 1200))
    def unlock(self, points: int) -> None:
        """Any number."""
        self.ledger.unlock(points)

    @rule(everything=st.booleans())
    def lock_or_unlock_all(self, everything: bool) -> None:
        """Either."""
        if everything:
            self.ledger.lock_all()
        else:
            self.ledger.unlock_all()

    @rule()
    def restart(self) -> None:
        """A new agent takes over the frames and the locks, and is where the old one was."""
        before, self.ledger = self.ledger, Ledger(self.topology, total=self.TOTAL)
        for key, reservation in self.held.items():
            self.ledger.adopt(key, reservation)
        self.ledger.lock(before.locked_wanted)
        assert self.ledger.counts() == before.counts()

    @invariant()
    def all_points_are_somewhere(self) -> None:
        """The sum holds and nothing is negative."""
        counts = self.ledger.counts()
        held = sum(reservation.points for reservation in self.held.values())
        assert counts.total == self.TOTAL == counts.idle + counts.locked + counts.booked
        assert min(counts.idle, counts.locked) >= 0
        assert counts.booked == min(held, self.TOTAL)
        assert counts.locked == min(self.ledger.locked_wanted, self.TOTAL - counts.booked)

    @invariant()
    def no_thread_is_pinned_twice(self) -> None:
        """Nor half a core."""
        pinned = [t for reservation in self.held.values() for t in reservation.threads]
        assert len(pinned) == len(set(pinned))
        for core in self.topology.cores:
            assert len(set(core.threads) & set(pinned)) in (0, len(core.threads))

    def teardown(self) -> None:
        """Once all is released and unlocked the ledger is as at the start."""
        for key in self.held:
            self.ledger.release(key)
        self.ledger.unlock_all()
        assert self.ledger.counts() == CoreCounts(self.TOTAL, self.TOTAL, 0, 0)
        assert len(self.ledger.reserve("z", 700, pin=True).threads) == 14


class SequenceTests(SynchronousTestCase):
    """Random sequences of operations."""

    def test_sequences(self) -> None:
        """The ledger's promises hold at every step."""
        run_state_machine_as_test(
            AnySequence, settings=settings(max_examples=60, stateful_step_count=30, deadline=None)
        )
