"""What the kernel counts of its own kills."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.oomkills import OomKills, counters, read_oom_kills
from tests.system.fake_proc import FakeProc


class ReadTests(SynchronousTestCase):
    """The three kinds of files."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def read(self, text: bytes) -> int:
        self.path.write_bytes(text)
        return read_oom_kills(str(self.path))

    def test_version_2(self) -> None:
        """``memory.events`` of a group."""
        self.assertEqual(self.read(b"low 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 7\n"), 3)

    def test_version_1(self) -> None:
        """``memory.oom_control`` of a group."""
        self.assertEqual(self.read(b"oom_kill_disable 1\nunder_oom 0\noom_kill 12\n"), 12)

    def test_host(self) -> None:
        """``vmstat``."""
        self.assertEqual(self.read(b"pgfault 55\noom_kill 2\nnuma_hit 8\n"), 2)

    def test_first_line(self) -> None:
        """Wherever the line stands."""
        self.assertEqual(self.read(b"oom_kill 5\n"), 5)

    def test_not_counted(self) -> None:
        """An old kernel, or no such file: nothing is counted."""
        self.assertEqual(self.read(b"oom_kill_disable 1\nunder_oom 0\n"), 0)
        self.assertEqual(read_oom_kills("/nonexistent/memory.events"), 0)

    def test_this_host(self) -> None:
        """All counters of this very host can be read."""
        for path in counters():
            self.assertGreaterEqual(read_oom_kills(path), 0)


class StepTests(SynchronousTestCase):
    """Whether something was killed of late."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.path = Path(self.mktemp())
        self.killed(0)
        self.kills = OomKills([str(self.path), "/nonexistent"], monotonic=self.clock.seconds)

    def killed(self, number: int) -> None:
        self.path.write_text(f"oom_kill {number}\n")

    def go_on(self, seconds: int) -> None:
        """Time goes by, with a look every 5 s."""
        for _ in range(seconds // 5):
            self.clock.advance(5)
            self.kills.look()

    def test_at_once(self) -> None:
        """A step is seen before the next look."""
        self.go_on(30)
        self.assertFalse(self.kills.stepped(60))
        self.killed(1)
        self.assertTrue(self.kills.stepped(60))

    def test_a_while_ago(self) -> None:
        """A step is remembered for a minute: large processes take their time to end."""
        self.go_on(300)
        self.killed(1)
        self.go_on(50)
        self.assertTrue(self.kills.stepped(60))
        self.go_on(20)
        self.assertFalse(self.kills.stepped(60))

    def test_before(self) -> None:
        """Who asks for a shorter time hears nothing of what was before it."""
        self.go_on(30)
        self.killed(1)
        self.go_on(20)
        self.assertFalse(self.kills.stepped(10))
        self.assertTrue(self.kills.stepped(30))

    def test_bounded(self) -> None:
        """Looks are not kept for ever."""
        self.go_on(3000)
        self.assertLess(len(self.kills._seen), 20)

    @given(st.lists(st.tuples(st.integers(1, 90), st.integers(0, 2)), max_size=12))
    def test_any(self, life: list[tuple[int, int]]) -> None:
        """Without a step in the last two minutes nothing has stepped; one just now always has."""
        total = int(self.path.read_text().split()[1])
        for seconds, kills in life:
            total += kills
            self.killed(total)
            self.assertTrue(not kills or self.kills.stepped(1))
            self.go_on(seconds)
        self.go_on(120)
        self.assertFalse(self.kills.stepped(60))


class CountersTests(SynchronousTestCase):
    """Where the counts are."""

    def found(self, cgroup: str, mountinfo: str) -> list[str]:
        proc = FakeProc(self.mktemp())
        proc.write("self/cgroup", cgroup)
        proc.write("self/mountinfo", mountinfo)
        return [path.replace(proc.root, "PROC") for path in counters(proc.root)]

    def test_version_2(self) -> None:
        """The agent's own group has ``memory.events``."""
        found = self.found(
            "0::/system.slice/openrqd.service\n",
            "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
        )
        group = "/sys/fs/cgroup/system.slice/openrqd.service"
        self.assertEqual(found, ["PROC/vmstat", f"{group}/memory.events"])

    def test_version_1(self) -> None:
        """The agent's own group in the tree of the memory controller."""
        found = self.found(
            "4:memory:/farm\n3:cpu,cpuacct:/\n",
            "30 23 0:26 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            "31 23 0:27 / /cg/memory rw shared:9 - cgroup cgroup rw,memory\n",
        )
        self.assertEqual(found, ["PROC/vmstat", "/cg/memory/farm/memory.oom_control"])

    def test_container(self) -> None:
        """In a container only its own part of the tree is mounted."""
        found = self.found(
            "4:memory:/docker/abc\n",
            "31 23 0:27 /docker/abc /cg/memory ro - cgroup cgroup rw,memory\n",
        )
        self.assertEqual(found, ["PROC/vmstat", "/cg/memory/memory.oom_control"])

    def test_none(self) -> None:
        """Without groups there is the host's count."""
        self.assertEqual(self.found("", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"), ["PROC/vmstat"])
