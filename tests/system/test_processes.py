"""Processes are found, assigned to their frames and measured."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.processes import ProcessReader, ProcessSample
from rqd.system.procstat import parse_stat, session_of
from tests.system.fake_proc import BOOT_TIME, FakeProc


class MembershipTests(SynchronousTestCase):
    """Which process is whose."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.reader = ProcessReader(self.proc.root)

    def read(
        self, sessions: dict[int, str], pids: dict[int, str] | None = None
    ) -> dict[str, set[int]]:
        """The pids by key."""
        found = self.reader.read(sessions, pids or {})
        return {key: {process.pid for process in group} for key, group in found.items()}

    def test_by_session(self) -> None:
        """All of a session are the frame's, others are nobody's."""
        self.proc.process(10, session=10)
        self.proc.process(11, session=10)
        self.proc.process(12, session=12)
        self.proc.process(13, session=1)
        self.assertEqual(self.read({10: "a", 12: "b"}), {"a": {10, 11}, "b": {12}})

    def test_pid_before_session(self) -> None:
        """A pid that the cgroup knows belongs there, whatever its session says."""
        self.proc.process(10, session=10)
        self.proc.process(11, session=10)
        self.assertEqual(self.read({10: "a"}, {11: "b", 99: "b"}), {"a": {10}, "b": {11}})

    def test_zombies(self) -> None:
        """A zombie is dead, unless other threads of it go on."""
        self.proc.process(10, session=10, state="Z")
        self.proc.process(11, session=10, state="Z", threads=3, pss=None)
        self.proc.process(12, session=10, state="X")
        self.assertEqual(self.read({10: "a"}), {"a": {11}})

    def test_vanishing(self) -> None:
        """A process that ends between two of its files is left out, and harms no other."""
        for pid, missing in enumerate(("stat", "cmdline", "status"), 10):
            self.proc.process(pid, session=10)
            self.proc.remove(f"{pid}/{missing}")
        self.proc.process(20, session=10)
        self.assertEqual(self.read({10: "a"}), {"a": {20}})

    def test_other_entries(self) -> None:
        """What is no process in the folder is not taken for one."""
        self.proc.write("10x/stat", "10 (x) S 1 10 10\n")
        self.proc.write("sys/kernel/x", "")
        self.assertEqual(self.read({10: "a"}), {})

    def test_nothing_to_look_for(self) -> None:
        """Without frames no folder is read."""
        self.assertEqual(ProcessReader("/nonexistent").read({}, {}), {})


class SampleTests(SynchronousTestCase):
    """What is known of a member."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.reader = ProcessReader(self.proc.root)

    def read(self) -> ProcessSample:
        """The one process of session 1."""
        (sample,) = self.reader.read({1: "a"}, {})["a"]
        return sample

    def test_all(self) -> None:
        """Everything, in KiB and seconds."""
        self.proc.process(
            7, start_ticks=250, cpu=1.5, reaped=0.25, rss=4000, vsize=9000, pss=3000, swap=12
        )
        self.assertEqual(
            self.read(),
            ProcessSample(
                pid=7,
                name="render",
                state="S",
                cmdline="render -frame 1",
                started=BOOT_TIME + 2.5,
                cpu_seconds=1.5,
                rss=4000,
                vsize=9000,
                pss=3000,
                swap=12,
                reaped_seconds=0.25,
            ),
        )

    def test_odd_names(self) -> None:
        """Names with brackets, spaces and newlines, or in no known encoding, are but names."""
        for name in (b"a) Z 9 9 9 (", b")", b"(", b"", b"two words", b"x\ny", b"\xff\xfe"):
            self.proc.process(7, name=name)
            self.assertEqual(self.read().name, name.decode("utf-8", "replace"))

    def test_odd_command_lines(self) -> None:
        """Newlines stay, bytes that are no text are replaced, none at all becomes the name."""
        for raw, shown in (
            (b"sh\0-c\0a )\nb\0", "sh -c a )\nb"),
            (b"x\0\xff\0", "x �"),
            (b"title set by the program", "title set by the program"),
            (b"", "[render]"),
        ):
            self.proc.process(7, cmdline=raw, start_ticks=len(raw))
            self.assertEqual(self.read().cmdline, shown)

    def test_long_command_line(self) -> None:
        """Of a very long one the beginning is enough."""
        self.proc.process(7, cmdline=b"x" * 100_000)
        self.assertEqual(self.read().cmdline, "x" * 2048)

    def test_command_line_after_exec(self) -> None:
        """The command line is read again when the process runs another program, and only then."""
        self.proc.process(7, cmdline=b"one")
        self.read()
        self.proc.process(7, cmdline=b"title")
        self.assertEqual(self.read().cmdline, "one")
        self.proc.process(7, cmdline=b"two", name="other")
        self.assertEqual(self.read().cmdline, "two")
        self.proc.process(7, cmdline=b"three", name="other", start_stack=99)
        self.assertEqual(self.read().cmdline, "three")

    def test_start_stays(self) -> None:
        """A clock that is set later doesn't move the start of a known process."""
        self.proc.process(7)
        before = self.read().started
        self.proc.write("stat", f"btime {BOOT_TIME + 3600}\n")
        self.assertEqual(self.read().started, before)

    def test_kernel_without_swap(self) -> None:
        """Swap that the kernel doesn't count is none."""
        self.proc.process(7, swap=None)
        self.assertEqual(self.read().swap, 0)

    @settings(deadline=None)
    @given(st.binary(max_size=64).filter(lambda name: b"\0" not in name))
    def test_any_name(self, name: bytes) -> None:
        """No name can change what is read after it."""
        line = b"7 (%b) R 1 2 33 " % name + b" ".join(b"%d" % n for n in range(4, 50))
        self.assertEqual(session_of(line), 33)
        self.assertEqual(parse_stat(line).session, 33)
        self.assertEqual(parse_stat(line).state, "R")
