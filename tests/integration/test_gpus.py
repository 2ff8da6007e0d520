"""GPUs of a real agent, from the driver's library to what Cuebot is told.

The library is a stand-in (``tests/csrc/nvml.c``), loaded by NVIDIA's own binding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from rqd.proto import report_pb2
from tests import nvml_standin
from tests.integration.agent import PATIENCE, Agent, AgentCase, on_agent, without_groups
from tests.integration.launched import Launched
from tests.integration.log_frames import until
from tests.nvml_standin import LIBRARY, SOURCE, World

_BUILD = (
    f"gcc -shared -fPIC -Wl,-soname,{LIBRARY} -o $folder/{LIBRARY} {SOURCE}\n"
    "export LD_LIBRARY_PATH=$folder NVML_STANDIN=$folder/gpus\n"
    "echo 'device GPU-a 2147483648 1073741824' > $folder/gpus\n"
    "echo 'device GPU-b 4294967296 4294967296' >> $folder/gpus\n"
)
SOON = {"monitor_interval": "50ms"}
GPU_IS_LOST = 15
MEMORY = "nvmlDeviceGetMemoryInfo"

Steps = Callable[[Any, Agent, World], Any]


def with_standin(run: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Skip a test, before its agent is started, where the stand-in can't be had."""

    @wraps(run)
    def checked(case: AgentCase) -> Any:
        nvml_standin.needed()
        return run(case)

    return checked


def with_gpus(decorator: Any = on_agent, **settings: dict[str, Any]) -> Callable[[Steps], Any]:
    """Run a test on an agent of two GPUs, of 2 and 4 GiB, with 1 and 4 GiB free."""

    def decorate(test: Steps) -> Any:
        @wraps(test)
        async def steps(case: AgentCase, agent: Agent) -> None:
            world = World(Path(agent.folder, "gpus"))
            world.device("GPU-a", 2048, 1024)
            world.device("GPU-b", 4096, 4096)
            await test(case, agent, world)

        return with_standin(decorator(_BUILD, **settings)(steps))

    return decorate


class GpuTests(AgentCase):
    """From ``dlopen`` to the reports."""

    async def host(self, agent: Agent, wanted: tuple[int, int, int]) -> None:
        """Wait until a status report has this number of GPUs, and MiB in all and free."""

        def told(host: report_pb2.RenderHost) -> tuple[int, int, int]:
            return host.num_gpus, host.total_gpu_mem >> 10, host.free_gpu_mem >> 10

        await agent.cuebot.wait_for(
            lambda cuebot: [each for each in cuebot.statuses if told(each.host) == wanted], PATIENCE
        )

    async def used(self, agent: Agent, frame: Launched, wanted: tuple[int, int]) -> None:
        """Wait until a frame is reported with this memory, in MiB: now and at most."""

        def told() -> bool:
            info = agent.info(frame.id)
            return (info.used_gpu_memory >> 10, info.max_used_gpu_memory >> 10) == wanted

        await until(told)

    async def pid(self, frame: Launched, name: str) -> int:
        """Wait for the pid that a frame prints after this word."""
        line = re.compile(rf"(?m)^\[[0-9:]+\] {name} (\d+)$".encode())
        await until(lambda: line.search(frame.log))
        return int(line.search(frame.log)[1])

    async def logged(self, agent: Agent, text: bytes, times: int = 1) -> None:
        """Wait until the agent's log has a text, and no more than so often."""
        await until(lambda: text in agent.log)
        self.assertEqual(agent.log.count(text), times)

    @with_gpus()
    async def test_startup_report(self, agent: Agent, world: World) -> None:
        """Cuebot learns of the GPUs with the first report: no other changes their number."""
        (boot,) = agent.cuebot.startups
        host = boot.host
        self.assertEqual((host.num_gpus, host.total_gpu_mem >> 10), (2, 6144))
        self.assertEqual(host.free_gpu_mem >> 10, 5120)
        await self.logged(agent, b"GPU found uuid=GPU-a index=0")

    @with_gpus(machine=SOON)
    async def test_status(self, agent: Agent, world: World) -> None:
        """What is free is told with every report."""
        world.device("GPU-b", 4096, 96)
        await self.host(agent, (2, 6144, 1120))

    @with_gpus()
    async def test_environment(self, agent: Agent, world: World) -> None:
        """A frame gets GPUs of its own, by index, and knows how much memory is free."""
        names = "$CUE_GPU_CORES $CUDA_VISIBLE_DEVICES $CUDA_DEVICE_ORDER $CUE_GPU_MEMORY"
        gate = agent.gate()
        first = agent.launch(f"echo {names}; read x < {gate.path}", num_gpus=1)
        await first.says(b"0 0 PCI_BUS_ID 5242880\n")
        second = agent.launch(f"echo {names}", num_gpus=1)
        self.assertEqual(await second.printed(), b"1 1 PCI_BUS_ID 5242880\n")
        third = agent.launch('echo "${CUE_GPU_CORES-none} ${CUDA_VISIBLE_DEVICES-none}"')
        self.assertEqual(await third.printed(), b"none none\n")
        gate.open()
        await first.end()
        both = agent.launch("echo $CUE_GPU_CORES", num_gpus=2)
        self.assertEqual(await both.printed(), b"0,1\n")

    @with_gpus(runner={"gpu_names": "uuid"})
    async def test_uuids(self, agent: Agent, world: World) -> None:
        """CUDA is told UUIDs where the settings say so."""
        frame = agent.launch("echo $CUE_GPU_CORES $CUDA_VISIBLE_DEVICES", num_gpus=2)
        self.assertEqual(await frame.printed(), b"0,1 GPU-a,GPU-b\n")

    @with_gpus()
    async def test_too_many(self, agent: Agent, world: World) -> None:
        """More than are free is refused, and nothing of the refused frame stays booked."""
        gate = agent.gate()
        frame = agent.launch(f"read x < {gate.path}", num_gpus=1)
        refused = self.assert_refused(
            "RESOURCE_EXHAUSTED", agent.send, agent.request("true", num_gpus=2)
        )
        self.assertEqual(refused, "2 GPUs wanted, 1 free (of 2 that can be given out)")
        self.assertEqual(agent.report().core_info.booked_cores, 1)
        gate.open()
        await frame.end()

    @on_agent()
    async def test_none(self, agent: Agent) -> None:
        """A host without GPUs says so, and reports none."""
        refused = self.assert_refused(
            "RESOURCE_EXHAUSTED", agent.send, agent.request("true", num_gpus=1)
        )
        self.assertEqual(refused, "1 GPU wanted, but this host has none to give out")
        self.assertEqual(agent.report().host.num_gpus, 0)

    async def follow(self, agent: Agent, world: World) -> None:
        """A frame of two processes, the second one in the background."""
        gate = agent.gate()
        command = f"sh -c 'echo child $$; read x < {gate.path}' & echo own $$; wait"
        frame = agent.launch(command, num_gpus=1)
        child, own = await self.pid(frame, "child"), await self.pid(frame, "own")
        world.process(0, own, 100)
        world.process(1, child, 20)
        world.process(0, child, 3, "graphics")
        world.process(0, os.getpid(), 500)
        await self.used(agent, frame, (123, 123))
        world.quit()
        world.process(0, own, 50)
        await self.used(agent, frame, (50, 123))
        self.assertEqual(agent.info(frame.id).num_gpus, 1)
        gate.open()
        report = await frame.end()
        self.assertEqual(report.frame.max_used_gpu_memory >> 10, 123)
        self.assertEqual(report.frame.num_gpus, 1)
        await until(lambda: b"maxUsedGpuMemory" in frame.log)
        self.assertEqual(frame.footer_value("maxUsedGpuMemory"), str(123 << 10))

    @with_gpus(machine=SOON)
    async def test_use(self, agent: Agent, world: World) -> None:
        """A frame has what its processes have, on whatever device; the most of it stays."""
        await self.follow(agent, world)

    @with_gpus(decorator=without_groups, machine=SOON)
    async def test_use_by_session(self, agent: Agent, world: World) -> None:
        """The same where frames have no control groups."""
        await self.follow(agent, world)

    @with_gpus(machine=SOON)
    async def test_lost(self, agent: Agent, world: World) -> None:
        """A device that is lost is logged once and not given out, until it is back."""
        world.fail(MEMORY, 0, GPU_IS_LOST)
        await self.host(agent, (1, 4096, 4096))
        frame = agent.launch("echo $CUE_GPU_CORES", num_gpus=1)
        self.assertEqual(await frame.printed(), b"1\n")
        self.assert_refused("RESOURCE_EXHAUSTED", agent.send, agent.request("true", num_gpus=2))
        seen = len(agent.cuebot.statuses)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.statuses) > seen + 5, PATIENCE)
        await self.logged(agent, b"GPU is not given out gpu=GPU-a reason=GPU is lost")
        world.heal(MEMORY)
        await until(lambda: agent.report().host.num_gpus == 2)
        await self.logged(agent, b"GPU works again gpu=GPU-a")

    @with_gpus(machine=SOON)
    async def test_vanished(self, agent: Agent, world: World) -> None:
        """A frame keeps the device that it has, whatever becomes of it and of the numbers."""
        gate = agent.gate()
        frame = agent.launch(f"read x < {gate.path}", num_gpus=2)
        world.unplug("GPU-a")
        await self.host(agent, (1, 4096, 4096))
        await self.logged(agent, b"GPU is not given out gpu=GPU-a reason=it has vanished")
        self.assert_refused("RESOURCE_EXHAUSTED", agent.send, agent.request("true", num_gpus=1))
        gate.open()
        await frame.end()
        after = agent.launch("echo $CUE_GPU_CORES", num_gpus=1)
        self.assertEqual(await after.printed(), b"0\n")

    @with_gpus(machine=SOON)
    async def test_hung(self, agent: Agent, world: World) -> None:
        """While a device hangs everything else goes on: frames, reports, the other device."""
        world.hang(MEMORY, 0)
        await self.host(agent, (1, 4096, 4096))
        await self.logged(agent, b"GPU is not given out gpu=GPU-a")
        world.device("GPU-b", 4096, 4000)
        await self.host(agent, (1, 4096, 4000))
        frame = agent.launch("echo $CUE_GPU_CORES", num_gpus=1)
        self.assertEqual(await frame.printed(), b"1\n")
        world.heal(MEMORY)
        await until(lambda: agent.report().host.num_gpus == 2)

    @with_standin
    @on_agent(_BUILD + "echo 'hang nvmlInitWithFlags -1 3600' >> $folder/gpus\n")
    async def test_hung_from_the_start(self, agent: Agent) -> None:
        """A driver that hangs keeps the agent neither from its work nor from its end, in order."""
        (boot,) = agent.cuebot.startups
        self.assertEqual(boot.host.num_gpus, 0)
        await self.logged(agent, b"the GPU driver did not answer within 10 s")
        self.assertEqual(await agent.launch("echo done").printed(), b"done\n")
