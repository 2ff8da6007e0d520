"""Sockets, cores and hyper-threads are told apart on all kinds of processors."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.topology import Core, Topology, parse_cpuinfo, read_topology
from tests.system.fake_proc import cpuinfo, processor


class ParseTests(SynchronousTestCase):
    """What ``parse_cpuinfo`` makes of a text."""

    def test_hyper_threads_are_not_cores(self) -> None:
        """Two threads of one core are one core with both processor numbers."""
        topology = parse_cpuinfo(cpuinfo([[2, 2]]))
        self.assertEqual(topology.cores, (Core(0, 0, (0, 2)), Core(0, 1, (1, 3))))
        self.assertEqual(topology.threads_per_core, 2)
        self.assertEqual(topology.sockets, 1)

    def test_uneven_sockets(self) -> None:
        """Sockets may differ in cores; core ids that repeat between them are distinct cores."""
        topology = parse_cpuinfo(cpuinfo([[2] * 4, [2] * 2]))
        self.assertEqual(topology.sockets, 2)
        self.assertEqual([core.socket for core in topology.cores], [0, 0, 0, 0, 1, 1])

    def test_many_threads(self) -> None:
        """Two sockets of 64 cores with 256 threads are 128 cores."""
        topology = parse_cpuinfo(cpuinfo([[2] * 64, [2] * 64]))
        self.assertEqual(len(topology.cores), 128)
        self.assertEqual(topology.cores[127], Core(1, 63, (127, 255)))

    def test_hybrid(self) -> None:
        """Performance cores with two threads and efficient ones with one are all one core each."""
        topology = parse_cpuinfo(cpuinfo([[2] * 8 + [1] * 8]))
        self.assertEqual(len(topology.cores), 16)
        self.assertEqual([len(core.threads) for core in topology.cores], [2] * 8 + [1] * 8)

    def test_no_ids(self) -> None:
        """Without ids, as on ARM, each processor is a core of socket 0."""
        topology = parse_cpuinfo("".join(processor(n, BogoMIPS="50.00") for n in range(4)))
        self.assertEqual(topology.cores, tuple(Core(0, n, (n,)) for n in range(4)))
        self.assertEqual((topology.sockets, topology.threads_per_core), (1, 1))

    def test_no_core_id(self) -> None:
        """With a socket alone, each processor is a core of that socket."""
        topology = parse_cpuinfo(processor(0, physical_id=0) + processor(1, physical_id=1))
        self.assertEqual(topology.cores, (Core(0, 0, (0,)), Core(1, 1, (1,))))

    def test_old_arm(self) -> None:
        """A capital ``Processor`` line with the model's name and trailing hardware is no core."""
        text = "Processor\t: ARMv7 rev 4\nprocessor\t: 0\n\nprocessor\t: 1\n\nHardware\t: Board\n"
        self.assertEqual(len(parse_cpuinfo(text).cores), 2)

    def test_no_hyper_threads_but_repeated_core_ids(self) -> None:
        """As many siblings as cores say that no two processors share one, whatever the ids say."""
        text = "".join(
            processor(n, physical_id=0, siblings=4, core_id=n % 2, cpu_cores=4) for n in range(4)
        )
        self.assertEqual(len(parse_cpuinfo(text).cores), 4)

    def test_offline_processors(self) -> None:
        """Numbers with gaps are kept, since they are what pinning needs."""
        text = "".join(
            processor(n, physical_id=0, siblings=3, core_id=n % 2, cpu_cores=2) for n in (0, 2, 3)
        )
        self.assertEqual(parse_cpuinfo(text).cores, (Core(0, 0, (0, 2)), Core(0, 1, (3,))))

    def test_nonsense(self) -> None:
        """Lines that are none, and ids without a processor, are stepped over."""
        text = "core id : 3\n\nnonsense\nprocessor : x\n" + processor(5, physical_id="?", core_id=1)
        self.assertEqual(parse_cpuinfo(text).cores, (Core(0, 5, (5,)),))

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=9), min_size=1, max_size=4))
    def test_any_layout(self, layout: list[list[int]]) -> None:
        """Whatever the layout, no core and no thread is lost or counted twice."""
        topology = parse_cpuinfo(cpuinfo(layout))
        threads = [thread for core in topology.cores for thread in core.threads]
        self.assertEqual(sorted(threads), list(range(sum(map(sum, layout)))))
        self.assertEqual(len(topology.cores), sum(map(len, layout)))
        self.assertEqual(topology.sockets, len(layout))


#: Lines of a ``cpuinfo`` and what could stand in their place.
LINES = st.builds(
    "{}\t: {}".format,
    st.sampled_from(
        ["processor", "physical id", "core id", "siblings", "cpu cores", "apicid", "Processor", ""]
    ),
    st.one_of(st.integers(-2, 9), st.text(max_size=3), st.sampled_from(["²", "٣", "9" * 5000])),
)


class ForeignTextTests(SynchronousTestCase):
    """Texts that no kernel wrote."""

    @settings(deadline=None)
    @given(st.one_of(st.text(), st.lists(LINES).map("\n".join)))
    def test_any_text(self, text: str) -> None:
        """Any text is a topology, in which each processor is in one core."""
        cores = parse_cpuinfo(text).cores
        threads = [thread for core in cores for thread in core.threads]
        self.assertEqual(len(threads), len(set(threads)))
        self.assertTrue(all(core.threads for core in cores))

    def test_same_processor_twice(self) -> None:
        """A processor that is listed twice is one; what is said last counts."""
        text = processor(0, physical_id=0, core_id=1) + processor(0, physical_id=1, core_id=2)
        self.assertEqual(parse_cpuinfo(text).cores, (Core(1, 2, (0,)),))


class MultiplierTests(SynchronousTestCase):
    """``threads_per_core`` is that of most cores."""

    def multiplier(self, *threads: int) -> int:
        """The multiplier of one socket with these threads per core."""
        return parse_cpuinfo(cpuinfo([threads])).threads_per_core

    def test_even(self) -> None:
        """Cores that are alike have the multiplier of each."""
        self.assertEqual([self.multiplier(n, n) for n in (1, 2, 4, 8)], [1, 2, 4, 8])

    def test_hybrid(self) -> None:
        """The majority decides; a tie goes to the lower one, which never understates the load."""
        self.assertEqual(self.multiplier(2, 2, 2, 1), 2)
        self.assertEqual(self.multiplier(2, 1, 1, 1), 1)
        self.assertEqual(self.multiplier(2, 2, 1, 1), 1)

    def test_one_thread_offline(self) -> None:
        """One thread taken offline doesn't change it."""
        self.assertEqual(self.multiplier(*[2] * 15, 1), 2)

    def test_nothing(self) -> None:
        """It is 1 at least, also with no core at all."""
        self.assertEqual(Topology(()).threads_per_core, 1)


class WithinTests(SynchronousTestCase):
    """A topology narrowed to what may be used."""

    def test_threads_that_are_lent(self) -> None:
        """A core keeps the threads that may be used, and goes with the last of them."""
        topology = parse_cpuinfo(cpuinfo([[2, 2, 2]])).within({0, 3, 5, 99})
        self.assertEqual([core.threads for core in topology.cores], [(0, 3), (5,)])
        self.assertEqual(topology.threads, {0, 3, 5})

    @settings(deadline=None, max_examples=60)
    @given(
        st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=9), min_size=1, max_size=4),
        st.sets(st.integers(0, 150)),
    )
    def test_any_cpuset(self, layout: list[list[int]], cpuset: set[int]) -> None:
        """Whatever may be used of whatever there is: just that is left, in no core twice."""
        whole = parse_cpuinfo(cpuinfo(layout))
        left = whole.within(cpuset)
        self.assertEqual(left.threads, whole.threads & cpuset)
        self.assertEqual(sum(len(core.threads) for core in left.cores), len(left.threads))
        self.assertTrue(all(core.threads for core in left.cores))


class ReadTests(SynchronousTestCase):
    """Reading the file."""

    def test_file(self) -> None:
        """The file is read and parsed."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(cpuinfo([[1, 1]]))
        self.assertEqual(len(read_topology(path).cores), 2)

    def test_empty(self) -> None:
        """A file without processors is refused by name: a host without cores is a mistake."""
        path = self.mktemp()
        with open(path, "w"):
            pass
        self.assertIn(path, str(self.assertRaises(ValueError, read_topology, path)))
