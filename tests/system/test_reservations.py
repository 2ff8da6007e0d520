"""The ledger gives away no point and no core twice, and gets back all."""

from __future__ import annotations

from collections.abc import Sequence

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
from rqd.system.gpus import Gpu
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


class CountTests(SynchronousTestCase):
    """Counts."""

    def test_constant_cost(self) -> None:
        """A count looks at no reservation: it costs the same whatever runs."""
        ledger = Ledger(host(4), total=40_000)
        looks: list[str] = []

        class Watched:
            threads = gpus = ()

            @property
            def points(self) -> int:
                looks.append("points")
                return 1

        for key in range(300):
            ledger.adopt(str(key), Watched())
        looks.clear()
        self.assertEqual(ledger.counts(), CoreCounts(40_000, 39_700, 0, 300))
        self.assertEqual(looks, [])


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


class GpuTests(SynchronousTestCase):
    """GPUs."""

    GPUS = tuple(Gpu(f"GPU-{letter}", number) for number, letter in enumerate("abcd"))

    def setUp(self) -> None:
        self.ledger = Ledger(host(4), total=400)
        self.ledger.offer_gpus(self.GPUS)

    def reserve(self, key: str, gpus: int) -> Sequence[Gpu]:
        return self.ledger.reserve(key, 100, pin=False, gpus=gpus).gpus

    def test_first_free(self) -> None:
        """A frame gets the first ones that are free, and nobody else does."""
        self.assertEqual(self.reserve("a", 1), self.GPUS[:1])
        self.assertEqual(self.reserve("b", 2), self.GPUS[1:3])
        self.ledger.release("a")
        self.assertEqual(self.reserve("c", 2), (self.GPUS[0], self.GPUS[3]))

    def test_none_asked(self) -> None:
        """A frame that asks for none gets none, and takes none."""
        self.assertEqual(self.reserve("a", 0), ())
        self.assertEqual(self.ledger.free_gpus(), list(self.GPUS))

    def test_too_many(self) -> None:
        """More than are free is refused with a sentence, and no core stays booked."""
        self.reserve("a", 3)
        refusal = self.assertRaises(NotEnough, self.reserve, "b", 2)
        self.assertEqual(refusal.detail, "2 GPUs wanted, 1 free (of 4 that can be given out)")
        self.assertEqual(self.ledger.counts().booked, 100)

    def test_none_there(self) -> None:
        """A host without any says so."""
        ledger = Ledger(host(4), total=400)
        refusal = self.assertRaises(NotEnough, ledger.reserve, "a", 100, pin=False, gpus=1)
        self.assertEqual(refusal.detail, "1 GPU wanted, but this host has none to give out")

    def test_too_few_cores(self) -> None:
        """A frame that is refused for want of cores takes no GPU."""
        self.ledger.lock_all()
        self.assertRaises(NotEnough, self.reserve, "a", 1)
        self.assertEqual(self.ledger.free_gpus(), list(self.GPUS))

    def test_no_longer_offered(self) -> None:
        """One that is no longer offered stays its frame's, and is given out to nobody after."""
        self.reserve("a", 1)
        self.ledger.offer_gpus(self.GPUS[1:])
        self.assertEqual(self.reserve("b", 1), self.GPUS[1:2])
        self.ledger.release("a")
        self.assertEqual(self.ledger.free_gpus(), list(self.GPUS[2:]))

    def test_another_index(self) -> None:
        """A device that got another index is still the one that its frame has."""
        self.reserve("a", 2)
        self.ledger.offer_gpus([Gpu("GPU-b", 0), Gpu("GPU-c", 1)])
        self.assertEqual(self.reserve("b", 1), (Gpu("GPU-c", 1),))

    def test_adopted(self) -> None:
        """What an adopted frame has is taken, also before any is offered."""
        ledger = Ledger(host(4), total=400)
        ledger.adopt("old", Reservation(100, (), self.GPUS[:1]))
        ledger.offer_gpus(self.GPUS)
        self.assertEqual(ledger.free_gpus(), list(self.GPUS[1:]))
        ledger.release("old")
        self.assertEqual(ledger.free_gpus(), list(self.GPUS))


class Naive:
    """What a ledger promises, reckoned anew from everything that is held whenever it is asked."""

    def __init__(self, topology: Topology, total: int) -> None:
        self.topology = topology
        self.total = total
        self.wanted = 0
        self.held: dict[str, Reservation] = {}
        self.offered: list[Gpu] = []

    def counts(self) -> CoreCounts:
        booked = min(sum(each.points for each in self.held.values()), self.total)
        locked = min(self.wanted, self.total - booked)
        return CoreCounts(self.total, self.total - booked - locked, locked, booked)

    def free_gpus(self) -> list[Gpu]:
        taken = {gpu.uuid for each in self.held.values() for gpu in each.gpus}
        return [gpu for gpu in self.offered if gpu.uuid not in taken]

    def free_cores(self) -> dict[int, list[tuple[int, ...]]]:
        """The threads of each core that nobody is pinned to, by socket."""
        pinned = {thread for each in self.held.values() for thread in each.threads}
        free: dict[int, list[tuple[int, ...]]] = {}
        for core in self.topology.cores:
            if not pinned & set(core.threads):
                free.setdefault(core.socket, []).append(core.threads)
        return free

    def allows(self, key: str, points: int, gpus: int) -> bool:
        fits = 0 < points <= self.counts().idle and gpus <= len(self.free_gpus())
        return fits and key not in self.held


class AnySequence(RuleBasedStateMachine):
    """Random operations on a small host of two uneven sockets whose points exceed its cores."""

    TOTAL = 900
    KEYS = st.sampled_from("abcdefgh")
    GPUS = tuple(Gpu(f"GPU-{number}", number) for number in range(4))

    def __init__(self) -> None:
        super().__init__()
        self.topology = host(4, 3)
        self.ledger = Ledger(self.topology, total=self.TOTAL)
        self.model = Naive(self.topology, self.TOTAL)

    @rule(
        key=KEYS,
        points=st.one_of(st.integers(-1, 1000), st.integers(1, 9).map(lambda n: n * 100)),
        pin=st.booleans(),
        gpus=st.integers(0, 3),
    )
    def reserve(self, key: str, points: int, pin: bool, gpus: int) -> None:
        """A reservation that fits is made, any other leaves no trace."""
        allowed = self.model.allows(key, points, gpus)
        try:
            reservation = self.ledger.reserve(key, points, pin=pin, gpus=gpus)
        except (AlreadyRunning, InvalidRequest, NotEnough):
            assert not allowed
            return
        assert allowed
        assert reservation.points == points
        assert list(reservation.gpus) == self.model.free_gpus()[:gpus]
        self.check_threads(reservation, pin)
        self.model.held[key] = reservation

    def check_threads(self, reservation: Reservation, pin: bool) -> None:
        """Whole free cores where they can be had, of as few and as idle sockets as possible."""
        free = self.model.free_cores()
        wanted, fraction = divmod(reservation.points, 100)
        if not pin or fraction or wanted > sum(map(len, free.values())):
            assert reservation.threads == ()
            return
        threads, taken = set(reservation.threads), {}
        assert len(threads) == len(reservation.threads)
        for socket, cores in free.items():
            taken[socket] = sum(threads.issuperset(core) for core in cores)
        assert sum(taken.values()) == wanted
        assert len(threads) == 2 * wanted
        most = max(map(len, free.values()))
        assert max(taken.values()) == min(wanted, most)
        assert any(taken[socket] and len(free[socket]) == most for socket in free)

    @rule(key=KEYS, points=st.integers(1, 500), threads=st.sets(st.integers(0, 20), max_size=4))
    def adopt(self, key: str, points: int, threads: set[int]) -> None:
        """An adopted frame is taken, whatever is free and whatever it says that it holds."""
        if key not in self.model.held:
            gpus = self.GPUS[points % 4 : points % 4 + points % 3]
            reservation = Reservation(points, tuple(threads), gpus)
            self.ledger.adopt(key, reservation)
            self.model.held[key] = reservation

    @rule(key=KEYS)
    def release(self, key: str) -> None:
        """Known or not."""
        self.ledger.release(key)
        self.model.held.pop(key, None)

    @rule(gpus=st.lists(st.sampled_from(GPUS), unique=True))
    def offer(self, gpus: list[Gpu]) -> None:
        """Devices come and go."""
        self.ledger.offer_gpus(gpus)
        self.model.offered = gpus

    @rule(points=st.integers(0, 1200))
    def lock(self, points: int) -> None:
        """Any number."""
        self.ledger.lock(points)
        self.model.wanted = min(self.TOTAL, self.model.wanted + points)

    @rule(points=st.integers(0, 1200))
    def unlock(self, points: int) -> None:
        """Any number."""
        self.ledger.unlock(points)
        self.model.wanted = max(0, self.model.wanted - points)

    @rule(everything=st.booleans())
    def lock_or_unlock_all(self, everything: bool) -> None:
        """Either."""
        if everything:
            self.ledger.lock_all()
        else:
            self.ledger.unlock_all()
        self.model.wanted = self.TOTAL * everything

    @rule()
    def restart(self) -> None:
        """A new agent takes over the frames and the locks, and is where the old one was."""
        before, self.ledger = self.ledger, Ledger(self.topology, total=self.TOTAL)
        for key, reservation in self.model.held.items():
            self.ledger.adopt(key, reservation)
        self.ledger.lock(before.locked_wanted)
        self.ledger.offer_gpus(self.model.offered)

    @invariant()
    def counts_as_the_model(self) -> None:
        """All points are somewhere, and nothing is negative."""
        counts = self.ledger.counts()
        assert counts == self.model.counts()
        assert counts.total == self.TOTAL == counts.idle + counts.locked + counts.booked
        assert min(counts.idle, counts.locked, counts.booked) >= 0
        assert self.ledger.locked_wanted == self.model.wanted
        assert self.ledger.free_gpus() == self.model.free_gpus()

    def teardown(self) -> None:
        """Once all is released and unlocked the ledger is as at the start."""
        for key in self.model.held:
            self.ledger.release(key)
        self.ledger.unlock_all()
        self.ledger.offer_gpus(self.GPUS)
        assert self.ledger.counts() == CoreCounts(self.TOTAL, self.TOTAL, 0, 0)
        assert len(self.ledger.reserve("z", 700, pin=True, gpus=4).threads) == 14


class SequenceTests(SynchronousTestCase):
    """Random sequences of operations."""

    def test_sequences(self) -> None:
        """The ledger's promises hold at every step."""
        run_state_machine_as_test(
            AnySequence, settings=settings(max_examples=100, stateful_step_count=30, deadline=None)
        )
