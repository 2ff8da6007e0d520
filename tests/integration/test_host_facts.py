"""What an agent tells of its host: as configured, as faked, and as far as the kernel lets it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from rqd.system import cgroups
from rqd.system.enclosing import enclosing_groups
from tests.environments import SOURCE_TREE, lacks
from tests.integration.agent import Agent, AgentCase, on_agent, root_only
from tests.integration.commands import OPENRQD, AgentTestCase
from tests.integration.log_frames import until

#: Nothing is overridden but the name.
REAL: Mapping[str, Any] = {"override_real_values": {"hostname": "render042"}}


class ConfiguredTests(AgentCase):
    """Settings."""

    @on_agent(
        machine={
            "facility": "lax",
            "custom_tags": ["high_memory", "gpu"],
            "core_multiplier": 100,
            "override_real_values": {
                "hostname": "render042",
                "cores": 64,
                "procs": 4,
                "memory_size": "1GiB",
                "workstation_mode": True,
                "os": "Linux,rocky9",
            },
        }
    )
    async def test_overrides(self, agent: Agent) -> None:
        """The startup report has what was overridden and added in place of what was found."""
        report = agent.cuebot.startups[0]
        host = report.host
        self.assertEqual((host.name, host.facility), ("render042", "lax"))
        self.assertEqual((host.num_procs, host.cores_per_proc), (4, 1600))
        self.assertEqual(report.core_info.total_cores, 6400)
        self.assertEqual(host.total_mem, 1024 * 1024)
        self.assertTrue(0 <= host.free_mem <= host.total_mem)
        self.assertEqual(list(host.tags), ["desktop", "high_memory", "gpu"])
        self.assertEqual(host.attributes["SP_OS"], "Linux,rocky9")
        self.assertGreater(host.total_mcp, 0)


class LimitedTests(AgentCase):
    """What the kernel grants the agent's process."""

    def test_affinity(self) -> Deferred[None]:
        """An agent that may run on one processor offers one core, and pins a frame to it."""
        processor = min(os.sched_getaffinity(0))

        async def offers_one(case: AgentCase, agent: Agent) -> None:
            report = agent.report()
            self.assertEqual(report.core_info.total_cores, 100)
            self.assertEqual((report.host.num_procs, report.host.cores_per_proc), (1, 100))
            threadable = {"CUE_THREADABLE": "1"}
            frame = agent.launch(
                'test "$(nproc) $CUE_THREADS" = "1 1"', num_cores=100, environment=threadable
            )
            self.assertEqual(await frame.ended(), (0, 0))

        before = f"taskset -p -c {processor} $$ >/dev/null"
        return on_agent(before, clean=False, machine=dict(REAL))(offers_one)(self)

    def test_memory_limit(self) -> Deferred[None]:
        """An agent in a group with a limit of memory has no more than that."""

        async def has_what_is_granted(case: AgentCase, agent: Agent) -> None:
            host = agent.report().host
            self.assertEqual(host.total_mem, 512 * 1024)
            self.assertTrue(0 < host.free_mem < host.total_mem)

        limits = {1: {"memory.limit_in_bytes": 512 << 20}, 2: {"memory.max": 512 << 20}}
        return self._limited("memory", limits, has_what_is_granted)

    def test_cpu_quota(self) -> Deferred[None]:
        """An agent in a group with half a processor's time offers half a core."""

        async def offers_half(case: AgentCase, agent: Agent) -> None:
            report = agent.report()
            self.assertEqual(report.core_info.total_cores, 50)
            self.assertEqual(report.host.num_procs * report.host.cores_per_proc, 50)

        limits = {
            1: {"cpu.cfs_period_us": 100000, "cpu.cfs_quota_us": 50000},
            2: {"cpu.max": "50000 100000"},
        }
        return self._limited("cpu", limits, offers_half)

    def _limited(
        self, controller: str, limits: Mapping[int, Mapping[str, object]], test: Any
    ) -> Deferred[None]:
        """Run the test on an agent in a group of its own, with the limits of its version."""
        root_only()
        enclosing = enclosing_groups(controller)
        if not enclosing.folders:
            lacks(f"no control groups of {controller}")
        group = Path(enclosing.folders[0], f"openrqd-test-{os.getpid()}")
        group.mkdir()
        self.addCleanup(lambda: Deferred.fromCoroutine(until(lambda: cgroups.remove(group))))
        for name, value in limits[enclosing.version].items():
            if not (group / name).exists():
                lacks(f"no {controller} for groups in {enclosing.folders[0]}")
            (group / name).write_text(str(value))
        before = f"echo $$ >{group}/cgroup.procs"
        return on_agent(before, clean=False, machine=dict(REAL))(test)(self)


class FakeLinuxTests(AgentTestCase):
    """``etc/rqd.fake_linux.yaml``."""

    def environment(self) -> dict[str, str]:
        """Only ports and folders are the test's own."""
        return super().environment() | {
            "OPENRQD__GRPC__RQD_PORT": str(self.port),
            "OPENRQD__GRPC__RQD_INTERFACE": "127.0.0.1",
            "OPENRQD__MACHINE__TEMP_PATH": f"{self.folder}/temp",
            "OPENRQD__RUNNER__TEMP_PATH": f"{self.folder}/frames",
            "OPENRQD__RUNNER__SNAPSHOTS_PATH": f"{self.folder}/state",
        }

    def test_host(self) -> None:
        """The host is as its files say, however small the machine is."""
        self.start(*OPENRQD, "--config", str(SOURCE_TREE / "etc" / "rqd.fake_linux.yaml"))
        report = self.report()
        host = report.host
        self.assertEqual((host.name, host.facility), ("fake-render-01", "local"))
        self.assertEqual((host.num_procs, host.cores_per_proc), (2, 3200))
        self.assertEqual(report.core_info.idle_cores, 6400)
        self.assertEqual(host.total_mem, 256 * 1024 * 1024)
        self.assertEqual((host.load, host.boot_time), (624, 1767261600))
        self.assertEqual(list(host.tags), ["fake"])
        attributes = dict(host.attributes)
        self.assertTrue(attributes.pop("swapout").isdigit())
        self.assertEqual(attributes, {"SP_OS": "rocky", "hyperthreadingMultiplier": "2"})
