"""The agent as its runners see it: how a start fails."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rqd.agent import Agent, CannotStart
from rqd.config import Loaded
from rqd.config.settings import LoggingSettings, MachineSettings, RunnerSettings, Settings
from rqd.holding import StateFolder
from tests.systemd.sockets import Listener


class AgentTests(SynchronousTestCase):
    """``Agent``, with settings that make its start fail before anything is served."""

    def agent(self, settings: Settings) -> Agent:
        self.state = os.path.abspath(self.mktemp())
        settings = replace(settings, runner=RunnerSettings(snapshots_path=self.state))
        loaded = Loaded(settings, {}, ("odd",), None)
        return Agent(loaded, reactor=MemoryReactorClock(), umask=0o022, load=lambda: loaded)

    def assert_cannot_start(self, settings: Settings) -> str:
        agent = self.agent(settings)
        problem = self.assertRaises(CannotStart, agent.start)
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
        problem = CannotStart("openrqd: no")
        self.assertIsInstance(problem, SystemExit)
        self.assertEqual(problem.code, "openrqd: no")

    def test_twistd_hears_of_it(self) -> None:
        """To twistd it is an Exception: those alone does it clean up after and tell of."""
        self.assertTrue(issubclass(CannotStart, Exception))

    def test_stop_without_start(self) -> None:
        """An agent that never started has nothing to stop."""
        self.assertIsNone(self.successResultOf(self.agent(Settings()).stop()))
