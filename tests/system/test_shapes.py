"""Real shapes of hosts: a ``cpuinfo`` each, and the table of what is offered and pinned there.

The files in ``cpuinfo/`` were made up from the format's rules, with the fields that the kernel of
each architecture prints; none was taken from a machine. In the tables ``0+4`` is a core of
two threads, ``5`` a core of one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Set
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings
from rqd.system.load import read_load
from rqd.system.shape import host_shape
from rqd.system.topology import Topology, parse_cpuinfo
from rqd.system.usable import UsableProcessors, made_up, of_this_machine

_FIXTURES = Path(__file__).parent / "cpuinfo"


class ShapeCase(SynchronousTestCase):
    """A shape is compared as text: a difference shows as the lines that differ."""

    maxDiff = None

    def assert_shape(
        self, name: str, table: str, *, may_use: Set[int] | None = None, quota: int | None = None
    ) -> None:
        """The fixture ``name`` is this table, where the agent may use all or these processors."""
        found = parse_cpuinfo((_FIXTURES / f"{name}.txt").read_text())
        affinity = found.threads if may_use is None else may_use
        self.assert_table(of_this_machine(found, affinity, quota), table)

    def assert_table(self, processors: UsableProcessors, table: str) -> None:
        self.assertEqual(self.table(processors), textwrap.dedent(table).strip())

    def table(self, processors: UsableProcessors) -> str:
        """What is reported, then the cores that are counted, then those to pin if others."""
        shape = host_shape(MachineSettings(), processors)
        multiplier = processors.counted.threads_per_core
        loadavg = self.mktemp()
        Path(loadavg).write_text("6.00 1.00 1.00 1/1 1\n")
        load = read_load(loadavg, threads_per_core=multiplier)
        lines = [
            f"{shape.num_procs} x {shape.cores_per_proc} points",
            f"multiplier {multiplier}, a load of 6.00 is {load}",
            *_sockets(processors.counted),
        ]
        if processors.pinnable != processors.counted:
            lines += ["pinned to:", *_sockets(processors.pinnable)]
        return "\n".join(lines)


def _sockets(topology: Topology) -> list[str]:
    lines = []
    for socket in sorted({core.socket for core in topology.cores}):
        threads = [core.threads for core in topology.cores if core.socket == socket]
        cores = ["+".join(map(str, each)) for each in threads]
        rows = [" ".join(cores[first : first + 8]) for first in range(0, len(cores), 8)]
        lines += [f"socket {socket}: {rows[0]}", *(f"  {row}" for row in rows[1:])]
    return lines or ["nothing"]


class ProcessorTests(ShapeCase):
    """Kinds of processors."""

    def test_hybrid(self) -> None:
        """Performance cores of two threads and efficient ones of one are a core each.

        As many of the one as of the other: the multiplier is the lower, which overstates no core.
        """
        self.assert_shape(
            "hybrid",
            """
            1 x 800 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0+1 2+3 4+5 6+7 8 9 10 11
            """,
        )

    def test_hybrid_without_hyper_threads(self) -> None:
        """The same with hyper-threading off keeps its cores."""
        self.assert_shape(
            "hybrid-without-hyper-threads",
            """
            1 x 800 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3 4 5 6 7
            """,
        )

    def test_hyper_threading_off(self) -> None:
        """Hyper-threading that is off in the firmware leaves gaps in core ids, and all cores."""
        self.assert_shape(
            "hyper-threading-off",
            """
            2 x 400 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3
            socket 1: 4 5 6 7
            """,
        )

    def test_second_threads_offline(self) -> None:
        """Hyper-threading that was turned off at run time is no different."""
        self.assert_shape(
            "second-threads-offline",
            """
            1 x 400 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3
            """,
        )

    def test_threads_offline(self) -> None:
        """A core of which one thread is offline is a core; numbers of processors have gaps."""
        self.assert_shape(
            "offline",
            """
            1 x 400 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0+4 1 3+7 6
            """,
        )

    def test_core_offline(self) -> None:
        """A core of which all threads are offline is not there."""
        self.assert_shape(
            "core-offline",
            """
            1 x 300 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+4 1+5 2+6
            """,
        )

    def test_uneven_sockets(self) -> None:
        """Cuebot knows one number for all sockets: the mean, which makes the same sum."""
        self.assert_shape(
            "uneven-sockets",
            """
            2 x 300 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+6 1+7 2+8 3+9
            socket 1: 4+10 5+11
            """,
        )

    def test_dies(self) -> None:
        """Core ids that begin anew in each die of a package are told apart."""
        self.assert_shape(
            "dies",
            """
            1 x 800 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+8 1+9 2+10 3+11 4+12 5+13 6+14 7+15
            """,
        )

    def test_dies_without_hyper_threads(self) -> None:
        """So they are where no core has more than one thread."""
        self.assert_shape(
            "dies-without-hyper-threads",
            """
            2 x 800 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3 4 5 6 7
            socket 1: 8 9 10 11 12 13 14 15
            """,
        )

    def test_256_threads(self) -> None:
        """Two sockets of 64 cores with two threads each: 128 cores, none of them twice."""
        self.assert_shape(
            "256-threads",
            """
            2 x 6400 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+128 1+129 2+130 3+131 4+132 5+133 6+134 7+135
              8+136 9+137 10+138 11+139 12+140 13+141 14+142 15+143
              16+144 17+145 18+146 19+147 20+148 21+149 22+150 23+151
              24+152 25+153 26+154 27+155 28+156 29+157 30+158 31+159
              32+160 33+161 34+162 35+163 36+164 37+165 38+166 39+167
              40+168 41+169 42+170 43+171 44+172 45+173 46+174 47+175
              48+176 49+177 50+178 51+179 52+180 53+181 54+182 55+183
              56+184 57+185 58+186 59+187 60+188 61+189 62+190 63+191
            socket 1: 64+192 65+193 66+194 67+195 68+196 69+197 70+198 71+199
              72+200 73+201 74+202 75+203 76+204 77+205 78+206 79+207
              80+208 81+209 82+210 83+211 84+212 85+213 86+214 87+215
              88+216 89+217 90+218 91+219 92+220 93+221 94+222 95+223
              96+224 97+225 98+226 99+227 100+228 101+229 102+230 103+231
              104+232 105+233 106+234 107+235 108+236 109+237 110+238 111+239
              112+240 113+241 114+242 115+243 116+244 117+245 118+246 119+247
              120+248 121+249 122+250 123+251 124+252 125+253 126+254 127+255
            """,
        )


#: One socket of four processors that are a core each: what most files without ids come to.
FOUR_CORES = """
    1 x 400 points
    multiplier 1, a load of 6.00 is 600
    socket 0: 0 1 2 3
    """


class MissingIdsTests(ShapeCase):
    """Virtual machines, and architectures that tell less."""

    def test_arm(self) -> None:
        """Without any ids each processor is a core of one socket."""
        self.assert_shape("arm64", FOUR_CORES)

    def test_other_architectures(self) -> None:
        """So it is elsewhere; hyper-threads can't be known where the file is silent of them."""
        for name in ("power", "risc-v"):
            self.assert_shape(name, FOUR_CORES)

    def test_old_arm(self) -> None:
        """A ``Processor`` that is the model's name, and the board at the end, are no processors."""
        self.assert_shape(
            "arm-old",
            """
            1 x 200 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1
            """,
        )

    def test_virtual_machine_without_ids(self) -> None:
        """A hypervisor that gives neither socket nor core has cores in one socket."""
        self.assert_shape("vm-without-ids", FOUR_CORES)

    def test_virtual_machine_with_equal_ids(self) -> None:
        """Ids that are all 0, of sockets that claim one core, don't make four cores one."""
        self.assert_shape("vm-all-ids-zero", FOUR_CORES)

    def test_virtual_machine_of_sockets(self) -> None:
        """A hypervisor that gives each processor a socket has as many sockets."""
        self.assert_shape(
            "vm-socket-per-processor",
            """
            4 x 100 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0
            socket 1: 1
            socket 2: 2
            socket 3: 3
            """,
        )

    def test_virtual_machine_with_hyper_threads(self) -> None:
        """A hypervisor that tells of hyper-threads is believed."""
        self.assert_shape(
            "vm-with-hyper-threads",
            """
            1 x 200 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+1 2+3
            """,
        )


class AllowedTests(ShapeCase):
    """What the agent may use of a machine."""

    def test_cpuset_of_whole_cores(self) -> None:
        """Only cores within the cpuset are offered, and all frames are pinned to those."""
        self.assert_shape(
            "eight-threads",
            """
            1 x 200 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 1+5 2+6
            """,
            may_use={1, 2, 5, 6},
        )

    def test_cpuset_of_first_threads(self) -> None:
        """A core of which one thread may be used is a core of one thread."""
        self.assert_shape(
            "eight-threads",
            """
            1 x 400 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3
            """,
            may_use={0, 1, 2, 3},
        )

    def test_cpuset_of_parts(self) -> None:
        """Whole cores and parts of cores may be mixed."""
        self.assert_shape(
            "eight-threads",
            """
            1 x 300 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0+4 1 6
            """,
            may_use={0, 1, 4, 6},
        )

    def test_cpuset_within_one_socket(self) -> None:
        """A socket of which nothing may be used is not there."""
        self.assert_shape(
            "uneven-sockets",
            """
            1 x 200 points
            multiplier 2, a load of 6.00 is 300
            socket 1: 4+10 5+11
            """,
            may_use={4, 5, 10, 11},
        )

    def test_cpuset_of_performance_cores(self) -> None:
        """A hybrid processor may be cut down to cores of one kind."""
        self.assert_shape(
            "hybrid",
            """
            1 x 400 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+1 2+3 4+5 6+7
            """,
            may_use=set(range(8)),
        )

    def test_quota(self) -> None:
        """The time of a processor and a half is a core and a half, anywhere on the machine."""
        self.assert_shape(
            "eight-threads",
            """
            1 x 150 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+4 1+5 2+6 3+7
            """,
            quota=150,
        )

    def test_quota_over_sockets(self) -> None:
        """It is spread over the sockets like cores are."""
        self.assert_shape(
            "hyper-threading-off",
            """
            2 x 150 points
            multiplier 1, a load of 6.00 is 600
            socket 0: 0 1 2 3
            socket 1: 4 5 6 7
            """,
            quota=300,
        )

    def test_wide_quota(self) -> None:
        """A quota makes no cores: the time of eight threads is still four cores."""
        self.assert_shape(
            "eight-threads",
            """
            1 x 400 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+4 1+5 2+6 3+7
            """,
            quota=800,
        )

    def test_renumbered(self) -> None:
        """A container's own file, numbered anew, is counted; its numbers are not pinned to."""
        self.assert_shape(
            "renumbered",
            """
            1 x 100 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+1
            pinned to:
            nothing
            """,
            may_use={4, 5},
        )

    def test_made_up(self) -> None:
        """A file that describes another host counts whole; what is here, too, is pinned to."""
        found = parse_cpuinfo((_FIXTURES / "eight-threads.txt").read_text())
        self.assert_table(
            made_up(found, {0, 1}),
            """
            1 x 400 points
            multiplier 2, a load of 6.00 is 300
            socket 0: 0+4 1+5 2+6 3+7
            pinned to:
            socket 0: 0 1
            """,
        )
