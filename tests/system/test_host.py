"""A whole sample of a made-up host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings, OverrideRealValues
from rqd.system.host import HostSample, HostSampler, host_tags
from rqd.system.tempstorage import Space, TempStorage
from rqd.system.topology import parse_cpuinfo
from rqd.system.usable import UsableProcessors, usable_processors
from tests.system.fake_groups import FakeGroups
from tests.system.fake_proc import BOOT_TIME, FakeProc, cpuinfo
from tests.system.test_memory import MODERN


class HostSamplerTests(SynchronousTestCase):
    """``HostSampler``."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.proc.write("meminfo", MODERN)
        self.proc.write("vmstat", "pswpout 10\n")
        self.clock = Clock()
        self.measured: list[Deferred[Any]] = []
        self.storage = TempStorage("/nowhere", in_worker=self.work)

    def work(self, function: object) -> Deferred[Any]:
        """Take on a measurement, and leave it unfinished."""
        self.measured.append(Deferred())
        return self.measured[-1]

    def sampler(self, override: OverrideRealValues | None = None) -> HostSampler:
        """A sampler of the made-up host."""
        machine = MachineSettings(
            facility="lax",
            custom_tags=("gpu", "desktop", "gpu"),
            distro_release_path=self.proc.write("os-release", "ID=rocky\n"),
            proc_stat_path=self.proc.root + "/stat",
            proc_loadavg_path=self.proc.write("loadavg", "3.00 2.00 1.00 1/2 3\n"),
            override_real_values=override or OverrideRealValues(),
        )
        found = parse_cpuinfo(cpuinfo([[2] * 4, [2] * 4]))
        return HostSampler(
            machine,
            UsableProcessors(found, found),
            name="r7",
            temp_storage=self.storage,
            proc_root=self.proc.root,
            monotonic=self.clock.seconds,
        )

    def test_sample(self) -> None:
        """All facts are as the files say."""
        sampler = self.sampler()
        self.storage.start()
        self.measured[0].callback(Space(5000, 4000))
        self.proc.write("vmstat", "pswpout 60\n")
        self.clock.advance(5)
        self.assertEqual(
            sampler.sample(),
            HostSample(
                name="r7",
                facility="lax",
                num_procs=2,
                cores_per_proc=400,
                total_swap=80000,
                free_swap=70000,
                total_mem=1000000,
                free_mem=600000,
                total_mcp=5000,
                free_mcp=4000,
                load=150,
                boot_time=BOOT_TIME,
                tags=("gpu", "desktop"),
                attributes={"SP_OS": "rocky", "hyperthreadingMultiplier": "2", "swapout": "10"},
            ),
        )

    def test_overrides(self) -> None:
        """What is overridden is reported in place of what was found."""
        override = OverrideRealValues(
            cores=16, procs=1, memory_size=2000000 * 1024, workstation_mode=True, os="rhel9"
        )
        sample = self.sampler(override).sample()
        self.assertEqual((sample.num_procs, sample.cores_per_proc), (1, 1600))
        self.assertEqual((sample.total_mem, sample.free_mem), (2000000, 1600000))
        self.assertEqual(sample.attributes["SP_OS"], "rhel9")
        self.assertEqual(sample.tags, ("desktop", "gpu"))

    def test_container(self) -> None:
        """In a container memory and swap are what its limits leave."""
        groups = FakeGroups(self.mktemp())
        groups.unified("/")
        groups.write(
            "unified",
            {
                "memory.max": 500000 * 1024,
                "memory.current": 100000 * 1024,
                "memory.stat": f"inactive_file {20000 * 1024}",
                "memory.swap.max": 0,
                "memory.swap.current": 0,
            },
        )
        for name in ("cgroup", "mountinfo"):
            self.proc.write(f"self/{name}", Path(groups.proc_root, "self", name).read_text())
        sample = self.sampler().sample()
        self.assertEqual((sample.total_mem, sample.free_mem), (500000, 420000))
        self.assertEqual((sample.total_swap, sample.free_swap), (0, 0))

    def test_limit_that_changes(self) -> None:
        """A limit that is set while the agent runs shows in the next sample."""
        groups = FakeGroups(self.mktemp())
        groups.unified("/")
        groups.write("unified", {"memory.max": "max", "memory.current": 0})
        for name in ("cgroup", "mountinfo"):
            self.proc.write(f"self/{name}", Path(groups.proc_root, "self", name).read_text())
        sampler = self.sampler()
        self.assertEqual(sampler.sample().total_mem, 1000000)
        groups.write("unified", {"memory.max": 1024 * 1024})
        self.assertEqual(sampler.sample().total_mem, 1024)

    def test_temp_storage_is_measured_for_the_next_sample(self) -> None:
        """A sample waits for no storage: it shows the last value and asks for a new one."""
        sampler = self.sampler()
        self.assertEqual(sampler.sample().total_mcp, 0)
        self.measured[0].callback(Space(9, 8))
        self.assertEqual(sampler.sample().total_mcp, 9)
        self.assertEqual(len(self.measured), 2)

    def test_tags(self) -> None:
        """Custom tags are reported in their order, each once; without any there are none."""
        self.assertEqual(host_tags(MachineSettings()), ())
        self.assertEqual(host_tags(MachineSettings(custom_tags=("b", "a", "b"))), ("b", "a"))

    def test_desktop(self) -> None:
        """A workstation is a desktop: one that is called so, else one that yields to its user."""
        for called, yields, tags in (
            (True, False, ("desktop",)),
            (False, True, ()),
            (None, True, ("desktop",)),
            (None, False, ()),
        ):
            override = OverrideRealValues(workstation_mode=called)
            machine = MachineSettings(nimby_mode=yields, override_real_values=override)
            self.assertEqual(host_tags(machine), tags, (called, yields))

    def test_this_host(self) -> None:
        """The real host gives a plausible sample."""
        processors = usable_processors(
            "/proc/cpuinfo", affinity=os.sched_getaffinity(0), quota=None
        )
        sampler = HostSampler(MachineSettings(), processors, name="me", temp_storage=self.storage)
        sample = sampler.sample()
        self.assertTrue(
            0 < sample.num_procs * sample.cores_per_proc <= 100 * len(os.sched_getaffinity(0))
        )
        self.assertTrue(0 < sample.free_mem <= sample.total_mem)
        self.assertTrue(0 <= sample.free_swap <= sample.total_swap)
        self.assertGreater(sample.boot_time, 1_000_000_000)
        self.assertTrue(sample.attributes["swapout"].isdigit())
