"""Many processes: of one frame, of others, and such as end while they are looked at."""

from __future__ import annotations

import os
import shutil
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.processes import ProcessReader
from rqd.system.sampler import Membership, Sampler
from tests.system.fake_proc import FakeProc
from tests.system.touched import touched


class CrowdTests(SynchronousTestCase):
    """Made-up crowds."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.reader = ProcessReader(self.proc.root)

    def foreign(self, number: int) -> None:
        """Processes of nobody's, from pid 100,000 on."""
        for pid in range(100_000, 100_000 + number):
            self.proc.write(f"{pid}/stat", b"%d (x) S 1 1 1 0\n" % pid)

    def test_foreign_by_session(self) -> None:
        """Among 10,000 foreign processes those of a session are found."""
        self.foreign(10_000)
        for pid in (10, 11, 12):
            self.proc.process(pid, session=10)
        found = self.reader.read({10: "a"}, {})
        self.assertEqual({sample.pid for sample in found["a"]}, {10, 11, 12})

    def test_foreign_by_pid(self) -> None:
        """Where all frames have cgroups no foreign process is looked at, nor even the folder."""
        self.foreign(10)
        self.proc.process(10)
        with touched(self.proc.root) as paths:
            Sampler(self.reader).tick({"a": Membership(0, (10,))})
        foreign = [path for path in paths if path == self.proc.root or "/1000" in path]
        self.assertEqual(foreign, [])

    def test_known(self) -> None:
        """Of a process that does nothing, one file is read in a pass."""
        self.proc.write("meminfo", "MemTotal: 9 kB\nMemAvailable: 9 kB\n")
        self.proc.process(10)
        self.reader.read({}, {10: "a"})
        with touched(f"{self.proc.root}/10/") as paths:
            self.reader.read({}, {10: "a"})
        self.assertEqual([os.path.basename(path) for path in paths], ["stat"])

    def test_large_frame(self) -> None:
        """A frame of 1,000 processes has all of them, each with its own facts."""
        for pid in range(1000, 2000):
            self.proc.process(pid, rss=pid * 4, cmdline=b"part\0%d" % pid)
        samples = self.reader.read({}, dict.fromkeys(range(1000, 2000), "a"))["a"]
        self.assertEqual([sample.pid for sample in samples], list(range(1000, 2000)))
        self.assertTrue(all(sample.rss == sample.pid * 4 for sample in samples))
        self.assertTrue(all(sample.cmdline == f"part {sample.pid}" for sample in samples))

    def test_boot_time(self) -> None:
        """However many are new, the boot time is read once a pass: it is a dear file."""
        for pid in range(10, 20):
            self.proc.process(pid)
        with touched(f"{self.proc.root}/stat") as paths:
            self.reader.read({}, dict.fromkeys(range(10, 20), "a"))
        self.assertEqual(len(paths), 1)

    def test_vanishing_anywhere(self) -> None:
        """Whichever file a process ends before, the others of its frame are read."""
        for turn in range(10):
            for pid in (10, 11):
                self.proc.process(pid, start_ticks=turn)

            def vanish(paths: list[str], turn: int = turn) -> None:
                if len(paths) == turn + 1:
                    shutil.rmtree(f"{self.proc.root}/10")

            reader = ProcessReader(self.proc.root)
            with touched(f"{self.proc.root}/10/", vanish):
                samples = reader.read({}, {10: "a", 11: "a"})["a"]
            self.assertEqual(samples[-1].pid, 11)

    def test_stuck(self) -> None:
        """Of a process that waits for its disk nothing is read that could have us wait, too."""
        self.proc.process(10, state="D", rss=4096)
        with touched(self.proc.root) as paths:
            (sample,) = self.reader.read({}, {10: "a"})["a"]
        read = {os.path.basename(path) for path in paths}
        self.assertFalse(read & {"cmdline", "smaps_rollup"})
        self.assertEqual((sample.cmdline, sample.pss), ("[render]", 4096))
        self.proc.process(10, state="S", rss=4096)
        (sample,) = self.reader.read({}, {10: "a"})["a"]
        self.assertEqual((sample.cmdline, sample.pss), ("render -frame 1", 2048))

    def test_swap(self) -> None:
        """Swap is looked at where the host uses any."""
        self.proc.process(10, swap=12)
        for free, swap in ((100, 0), (50, 12)):
            self.proc.write(
                "meminfo", f"MemTotal: 9 kB\nMemAvailable: 9 kB\nSwapTotal: 100\nSwapFree: {free}\n"
            )
            (sample,) = self.reader.read({}, {10: "a"})["a"]
            self.assertEqual(sample.swap, swap)

    def test_same_sample(self) -> None:
        """Who did nothing is the same sample, who did something another."""
        for pid in (10, 11):
            self.proc.process(pid)
        before = self.reader.read({}, {10: "a", 11: "a"})["a"]
        self.proc.process(11, cpu=1.0)
        after = self.reader.read({}, {10: "a", 11: "a"})["a"]
        self.assertIs(after[0], before[0])
        self.assertEqual(after[1].cpu_seconds, 1.0)


class RealCrowdTests(SynchronousTestCase):
    """The real ``/proc``."""

    def test_storm(self) -> None:
        """Processes that come and go by the hundred while they are read harm no pass."""
        storm = "while :; do for i in 1 2 3 4 5 6 7 8; do /bin/true & done; wait; done"
        shell = subprocess.Popen(["/bin/sh", "-c", storm], start_new_session=True)
        self.addCleanup(shell.wait)
        self.addCleanup(os.killpg, shell.pid, 9)
        reader = ProcessReader()
        seen: set[int] = set()
        for _ in range(100):
            seen.update(sample.pid for sample in reader.read({shell.pid: "a"}, {}).get("a", ()))
        self.assertIn(shell.pid, seen)
        self.assertGreater(len(seen), 1)

    def test_foreign(self) -> None:
        """By session, no file of a foreign process is opened."""
        child = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        with touched("/proc/") as paths:
            found = ProcessReader().read({child.pid: "a"}, {})
        self.assertEqual([sample.pid for sample in found["a"]], [child.pid])
        others = [p for p in paths if p.split("/")[2].isdigit() and f"/{child.pid}/" not in p]
        self.assertEqual(others, [])
