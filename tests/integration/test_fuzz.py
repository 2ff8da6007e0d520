"""An agent that is sent anything: it answers definitely, goes on, and leaks nothing.

``make fuzz`` sends 100,000 requests; the suite a few. A seed is printed; ``OPENRQD_FUZZ_SEED`` sets
it. Frames that are launched on the way run, with harmless commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from random import SystemRandom

from twisted.internet.threads import deferToThread

from rqd.proto import rqd_pb2
from tests.environments import SOURCE_TREE
from tests.integration import activity, remains
from tests.integration.activity import ACTIVITY_FILE
from tests.integration.agent import CORES, PATIENCE, Agent, AgentCase, on_agent
from tests.integration.footprint import BERTHS, POOLS, footprint
from tests.integration.fuzz_requests import Requests
from tests.integration.fuzzer import Fuzzer
from tests.integration.log_frames import until
from tests.integration.methods import ENDINGS, method
from tests.integration.shut_in import shut_in

REQUESTS = int(os.environ.get("OPENRQD_FUZZ_REQUESTS", "2000"))
SECONDS = float(os.environ.get("OPENRQD_FUZZ_SECONDS", "20"))
SEED = int(os.environ.get("OPENRQD_FUZZ_SEED") or SystemRandom().randrange(1 << 32))
#: Milliseconds that 95 % of an unrelated caller's calls may take; not asked for in the suite,
#: where other tests take the machine's time.
P95 = float(os.environ.get("OPENRQD_FUZZ_P95", "inf"))

#: KiB that the agent may grow by from the first tenth of a run to its end.
GROWTH = 20 << 10

#: The agent's own log would be long.
QUIET = {"level": "warn"}
#: Frames that won't end are ended soon.
IMPATIENT = {"kill_monitor_timeout": "300ms"}


class Prober:
    """The unrelated caller, in a process of its own."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.prober", str(port)],
            cwd=SOURCE_TREE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def stop(self) -> list[float]:
        """End it: milliseconds of its calls, the shortest first."""
        told, _ = self._process.communicate(timeout=PATIENCE)
        if self._process.returncode != 0:
            raise AssertionError("the unrelated caller was not served")
        return sorted(map(float, told.split()))


class FuzzTests(AgentCase):
    """Over real connections to a real agent."""

    timeout = SECONDS + 120

    @on_agent(**shut_in(), clean=False, machine=ACTIVITY_FILE, logging=QUIET, runner=IMPATIENT)
    async def test_requests(self, agent: Agent) -> None:
        """Any bytes to any method have a legal answer with a sentence; nothing is left of it."""
        activity.tell(agent, "idle")
        await agent.launch("exit 3").end()
        before = footprint(agent.pid)
        fuzzer = Fuzzer(agent.port, Requests(agent.logs).batches, SEED)
        grown = [before.memory]

        def between() -> None:
            if fuzzer.sent < REQUESTS // 10:
                grown[0] = footprint(agent.pid).memory

        sys.stdout.write(f"\n    OPENRQD_FUZZ_SEED={SEED} ")
        sys.stdout.flush()
        prober = Prober(agent.port)
        begin = time.monotonic()
        try:
            await deferToThread(fuzzer.run, REQUESTS, SECONDS, between)
        finally:
            took = time.monotonic() - begin
            latencies = await deferToThread(prober.stop)
        await self.back_to_the_beginning(agent)
        await until(lambda: footprint(agent.pid).descriptors <= before.descriptors + BERTHS)
        after = footprint(agent.pid)
        self.tell(fuzzer, took, latencies, f"memory {grown[0]} -> {after.memory} KiB")
        self.assertLessEqual(after.threads, before.threads + POOLS)
        self.assertLess(after.memory - grown[0], GROWTH)
        self.assertLess(percentile(latencies, 95), P95)

    def tell(self, fuzzer: Fuzzer, took: float, latencies: list[float], memory: str) -> None:
        counts = {f"{m}:{code}": n for (m, code), n in sorted(fuzzer.answers.items())}
        p50, p95, p99 = (percentile(latencies, part) for part in (50, 95, 99))
        sys.stdout.write(
            f"{fuzzer.sent} requests in {took:.1f} s, {fuzzer.sent / took:.0f} a second; "
            f"an unrelated ReportStatus: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, "
            f"worst {latencies[-1]:.1f} ms of {len(latencies)}; {memory}\n    {counts}\n    "
        )

    async def back_to_the_beginning(self, agent: Agent) -> None:
        """End what still runs, lift what was locked: then nothing is left."""
        assert agent.channel is not None
        for frame in agent.report().frames:
            call = rqd_pb2.RqdStaticKillRunningFrameRequest(frame_id=frame.frame_id)
            method("KillRunningFrame").code(agent.channel, call.SerializeToString())
        for name in ("NimbyOff", "UnlockAll"):
            method(name).code(agent.channel)
        await until(lambda: not agent.remaining(), PATIENCE)
        await until(lambda: remains.frames(agent.pid) == [])
        cores = agent.report().core_info
        self.assertEqual((cores.idle_cores, cores.booked_cores), (CORES * 100, 0))
        self.assertEqual((await agent.launch("exit 3", frame_id="last").ended()), (3, 0))

    async def end(self, agent: Agent, name: str) -> None:
        """Several callers at once ask for one ending, in odd words."""
        assert agent.channel is not None
        agent.launch("echo busy; sleep 0.1")
        ending = method(name)
        odd = (b"", b"\xc0\x3e\x63", b"\xff", b"\xca\x3e\x0bof tomorrow")
        calls = [ending.on(agent.channel).future(odd[n % 4], timeout=PATIENCE) for n in range(16)]
        codes = await deferToThread(lambda: {call.code().name for call in calls})
        legal = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "UNAVAILABLE"}
        self.assertEqual(codes - legal, set(), name)
        if "OK" in codes and name.startswith("Shutdown"):
            self.assertEqual((await agent.exit()), 0)
            self.assertNotIn(b"Traceback", agent.log)


def percentile(ordered: list[float], part: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * part // 100)]


def _ends(name: str) -> object:
    @on_agent(**shut_in(), clean=False)
    async def test(self: FuzzTests, agent: Agent) -> None:
        await self.end(agent, name)

    test.__doc__ = f"{name}, asked for by many at once, has legal answers and an orderly end."
    return test


for _name in sorted(ENDINGS):
    setattr(FuzzTests, f"test_{_name}", _ends(_name))
