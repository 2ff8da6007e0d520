"""The composition root's own decisions: what it makes of the settings, and how a start fails."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rqd import service
from rqd.config import Loaded
from rqd.config.settings import (
    ExitStatusRule,
    LoggingSettings,
    MachineSettings,
    RunnerSettings,
    Settings,
)
from rqd.holding import StateFolder
from rqd.refusals import Unavailable
from rqd.system.gpus import Gpu
from rqd.system.reservations import Ledger
from rqd.system.topology import Core, Topology
from rqd.system.usable import UsableProcessors
from tests.systemd.sockets import Listener


class AgentTests(SynchronousTestCase):
    """``Agent``, with settings that make its start fail before anything is served."""

    def agent(self, settings: Settings) -> service.Agent:
        self.state = os.path.abspath(self.mktemp())
        settings = replace(settings, runner=RunnerSettings(snapshots_path=self.state))
        loaded = Loaded(settings, {}, ("odd",), None)
        return service.Agent(loaded, reactor=MemoryReactorClock(), umask=0o022, load=lambda: loaded)

    def assert_cannot_start(self, settings: Settings) -> str:
        agent = self.agent(settings)
        problem = self.assertRaises(service.CannotStart, agent.start)
        return str(problem)

    def test_no_processors(self) -> None:
        """A start that fails is one sentence."""
        settings = Settings(machine=MachineSettings(cpuinfo_path=os.devnull))
        self.assertEqual(
            self.assert_cannot_start(settings), "openrqd: /dev/null lists no processor"
        )

    def test_service_of_systemd(self) -> None:
        """Where systemd listens it hears the sentence, for ``systemctl status``."""
        with Listener() as systemd:
            self.patch(os, "environ", os.environ | {"NOTIFY_SOCKET": systemd.address})
            self.test_no_processors()
            (said,) = systemd.heard()
        self.assertEqual(said, b"STATUS=can't start: /dev/null lists no processor")

    def test_log_file(self) -> None:
        """An agent's log that can't be opened keeps it from starting."""
        folder = os.path.abspath(self.mktemp())
        os.makedirs(folder)
        settings = Settings(logging=LoggingSettings(path=folder, file_appender=True))
        self.assertIn(folder, self.assert_cannot_start(settings))

    def test_state_folder_is_held(self) -> None:
        """A start that fails leaves the state folder to the next agent, and tells who has it."""
        settings = Settings(machine=MachineSettings(cpuinfo_path=os.devnull))
        self.assert_cannot_start(settings)
        held = StateFolder(self.state)
        self.addCleanup(held.release)
        self.patch(self, "mktemp", lambda: self.state)
        self.assertIn(f"pid {os.getpid()}", self.assert_cannot_start(settings))

    def test_status(self) -> None:
        """To the interpreter it is an exit with a sentence, so status 1 and no traceback."""
        problem = service.CannotStart("openrqd: no")
        self.assertIsInstance(problem, SystemExit)
        self.assertEqual(problem.code, "openrqd: no")

    def test_twistd_hears_of_it(self) -> None:
        """To twistd it is an Exception: those alone does it clean up after and tell of."""
        self.assertTrue(issubclass(service.CannotStart, Exception))

    def test_stop_without_start(self) -> None:
        """An agent that never started has nothing to stop."""
        self.assertIsNone(self.successResultOf(self.agent(Settings()).stop()))


class LedgerTests(SynchronousTestCase):
    """Which cores frames get."""

    def ledger(self, counted: list[Core], pinnable: list[Core]) -> Ledger:
        processors = UsableProcessors(Topology(tuple(counted)), Topology(tuple(pinnable)))
        return service.ledger(MachineSettings(), processors)

    def test_processors_out_of_reach(self) -> None:
        """What is counted is offered, and a frame that can't be pinned runs unpinned."""
        ledger = self.ledger([Core(0, n, (n,)) for n in range(8)], [])
        self.assertEqual(ledger.counts().total, 800)
        self.assertEqual(ledger.reserve("frame", 100, pin=True).threads, ())

    def test_processors_within_reach(self) -> None:
        """What may be used is what frames are pinned to."""
        cores = [Core(0, 0, (0, 2)), Core(0, 1, (1, 3))]
        ledger = self.ledger(cores, cores[1:])
        self.assertEqual(ledger.counts().total, 200)
        self.assertEqual(ledger.reserve("frame", 100, pin=True).threads, (1, 3))


class TranslationTests(SynchronousTestCase):
    """Settings as the rooms want them."""

    def test_terms(self) -> None:
        """The rules of the runner section, regexes compiled, and the umask of the starter."""
        rule = ExitStatusRule(name="license", regex="no license", exit_status=99)
        runner = RunnerSettings(
            kill_monitor_timeout=3.0, desktop_mode=True, log_exit_status_rules=(rule,)
        )
        terms = service.terms(Settings(runner=runner), 0o027, 1024)
        self.assertEqual((terms.umask, terms.descriptors), (0o027, 1024))
        self.assertEqual((terms.nice, terms.grace.timeout), (True, 3.0))
        (compiled,) = terms.rules
        self.assertEqual((compiled.name, compiled.exit_status), ("license", 99))
        self.assertTrue(compiled.pattern.search("sorry, no license today"))

    def test_limit_of_kills(self) -> None:
        """KILL is called vain after 10 s, or the grace if that is shorter, but never at once."""
        limits = []
        for timeout in (60.0, 3.0, 0.0):
            runner = RunnerSettings(kill_monitor_timeout=timeout)
            limits.append(service.terms(Settings(runner=runner), 0o027, 1024).grace.limit)
        self.assertEqual(limits, [10.0, 3.0, 1.0])

    def test_surroundings(self) -> None:
        """Of the agent's own environment frames get what the settings name, and nothing else."""
        self.patch(os, "environ", {"HOME": "/root", "FARM": "north", "PATH": "/nowhere"})
        settings = Settings(runner=RunnerSettings(host_env_vars=("FARM",)))
        found = service.frame_surroundings(settings, "render01", lambda: 7)
        self.assertEqual((found.name, dict(found.copied)), ("render01", {"FARM": "north"}))
        self.assertNotIn("/nowhere", found.path)
        self.assertEqual(found.free_gpu_memory(), 7)
        settings = replace(settings, runner=RunnerSettings(use_host_path_env_var=True))
        found = service.frame_surroundings(settings, "render01", lambda: 7)
        self.assertEqual(found.path, "/nowhere")

    def test_gpu_names(self) -> None:
        """GPUs are named to CUDA by their index, or by UUID where the settings say so."""
        gpu = Gpu("GPU-a", 3)
        for names, told in (("index", "3"), ("uuid", "GPU-a")):
            settings = Settings(runner=RunnerSettings(gpu_names=names))
            found = service.frame_surroundings(settings, "render01", int)
            self.assertEqual(found.gpu_name(gpu), told)

    def test_tree_name(self) -> None:
        """Agents with state folders of their own share no control groups; spelling is no matter."""
        folder = self.mktemp()
        self.assertEqual(service.tree_name(folder), service.tree_name("./" + folder))
        self.assertNotEqual(service.tree_name(folder), service.tree_name(folder + "2"))

    def test_slow_names(self) -> None:
        """A user database that doesn't answer is a refusal that can be tried again."""
        problem = self.assertRaises(Unavailable, service.names_are_slow, None, 5.0)
        self.assertIn("5 s", problem.detail)
