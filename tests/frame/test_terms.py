"""What is made of the settings for frames."""

from __future__ import annotations

import os
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import ExitStatusRule, RunnerSettings, Settings
from rqd.frame.terms import surroundings, terms
from rqd.system.gpus import Gpu


class TermsTests(SynchronousTestCase):
    """Settings as frames want them."""

    def test_terms(self) -> None:
        """The rules of the runner section, regexes compiled, and the umask of the starter."""
        rule = ExitStatusRule(name="license", regex="no license", exit_status=99)
        runner = RunnerSettings(
            kill_monitor_timeout=3.0, desktop_mode=True, log_exit_status_rules=(rule,)
        )
        found = terms(Settings(runner=runner), 0o027, 1024)
        self.assertEqual((found.umask, found.descriptors), (0o027, 1024))
        self.assertEqual((found.nice, found.grace.timeout), (True, 3.0))
        (compiled,) = found.rules
        self.assertEqual((compiled.name, compiled.exit_status), ("license", 99))
        self.assertTrue(compiled.pattern.search("sorry, no license today"))

    def test_limit_of_kills(self) -> None:
        """KILL is called vain after 10 s, or the grace if that is shorter, but never at once."""
        limits = []
        for timeout in (60.0, 3.0, 0.0):
            runner = RunnerSettings(kill_monitor_timeout=timeout)
            limits.append(terms(Settings(runner=runner), 0o027, 1024).grace.limit)
        self.assertEqual(limits, [10.0, 3.0, 1.0])

    def test_surroundings(self) -> None:
        """Of the agent's own environment frames get what the settings name, and nothing else."""
        self.patch(os, "environ", {"HOME": "/root", "FARM": "north", "PATH": "/nowhere"})
        settings = Settings(runner=RunnerSettings(host_env_vars=("FARM",)))
        found = surroundings(settings, "render01", lambda: 7)
        self.assertEqual((found.name, dict(found.copied)), ("render01", {"FARM": "north"}))
        self.assertNotIn("/nowhere", found.path)
        self.assertEqual(found.free_gpu_memory(), 7)
        settings = replace(settings, runner=RunnerSettings(use_host_path_env_var=True))
        found = surroundings(settings, "render01", lambda: 7)
        self.assertEqual(found.path, "/nowhere")

    def test_gpu_names(self) -> None:
        """GPUs are named to CUDA by their index, or by UUID where the settings say so."""
        gpu = Gpu("GPU-a", 3)
        for names, told in (("index", "3"), ("uuid", "GPU-a")):
            settings = Settings(runner=RunnerSettings(gpu_names=names))
            found = surroundings(settings, "render01", int)
            self.assertEqual(found.gpu_name(gpu), told)
