"""The classic agent's configuration, as openrqd's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config import load
from rqd.config.classic import COUNTERPARTS, CUEBOT, CUEBOT_PORT, WITHOUT
from rqd.config.files import read_text
from rqd.config.keys import leaves
from rqd.config.migration import Problems, migrate
from rqd.config.settings import Settings
from tests.environments import SOURCE_TREE

#: One valid value for each key of ``[Override]`` that isn't a yes or no.
VALUES = {
    "CONSOLE_LOG_LEVEL": "WARNING",
    "RQD_GRPC_PORT": "9000",
    "OVERRIDE_CORES": "12",
    "OVERRIDE_PROCS": "2",
    "OVERRIDE_MEMORY": "8388608",
    "OVERRIDE_HOSTNAME": "render1",
    "SP_OS": "rocky9",
    "DEFAULT_FACILITY": "south",
    "RQD_TAGS": "fast linux",
    "MINIMUM_IDLE": "600",
    "RQD_DISPLAY_PATH": "/var/run/display",
    "LAUNCH_FRAME_USER_GID": "30",
    "JOB_LOG_MAX_SIZE_IN_BYTES": "1000",
}


class MigrationTests(SynchronousTestCase):
    """L{migrate}: what it prints is loaded by the agent."""

    def settings(self, text: str, environ: Mapping[str, str] | None = None) -> Settings:
        path = Path(self.mktemp())
        path.write_text(migrate(text, "rqd.conf", environ or {}))
        loaded = load(str(path), {})
        self.assertEqual(list(loaded.warnings), [])
        return loaded.settings

    def problems(self, text: str) -> list[str]:
        return list(self.assertRaises(Problems, migrate, text, "rqd.conf", {}).args)

    def test_every_key(self) -> None:
        """Each key of the old file arrives."""
        lines = [f"{key} = {VALUES.get(key, 'True')}" for key in COUNTERPARTS]
        settings = self.settings("\n".join(["[Override]", *lines]))
        machine, runner = settings.machine, settings.runner
        real = machine.override_real_values
        self.assertEqual(settings.logging.level, "warn")
        self.assertEqual(settings.grpc.rqd_port, 9000)
        self.assertEqual((real.cores, real.procs, real.memory_size), (12, 2, 8 << 30))
        self.assertEqual(
            (real.hostname, real.os, real.workstation_mode), ("render1", "rocky9", True)
        )
        self.assertEqual((machine.facility, machine.custom_tags), ("south", ("fast", "linux")))
        self.assertEqual((machine.nimby_mode, machine.nimby_idle_threshold), (True, 600.0))
        self.assertEqual(machine.nimby_display_file_path, "/var/run/display")
        self.assertTrue(machine.use_ip_as_hostname and machine.use_ipv6_as_hostname)
        self.assertTrue(runner.run_as_user and runner.prepend_timestamp)
        self.assertTrue(runner.use_host_path_env_var and runner.use_all_host_env_vars)
        self.assertEqual((runner.default_gid, runner.log_max_size), (30, 1000))

    def test_paths(self) -> None:
        """What it writes are keys of the agent's."""
        known = {".".join(path) for path, _ in leaves(Settings)}
        self.assertEqual({here.path for here in COUNTERPARTS.values()} - known, set())

    def test_other_defaults(self) -> None:
        """What the old file left to a default stays as it was, where openrqd's is another."""
        settings = self.settings("[Override]\n")
        self.assertTrue(settings.machine.use_ip_as_hostname)
        self.assertFalse(settings.runner.prepend_timestamp)
        self.assertEqual(settings.machine.override_real_values.os, "Linux")

    def test_cuebots(self) -> None:
        """Hosts and port make endpoints; the file wins over the variable."""
        environ = {"CUEBOT_HOSTNAME": "a b"}
        found = self.settings("", environ).grpc.cuebot_endpoints
        self.assertEqual(found, ("a:8443", "b:8443"))
        text = f"[Override]\n{CUEBOT} = c\n{CUEBOT_PORT} = 9443\n"
        self.assertEqual(self.settings(text, environ).grpc.cuebot_endpoints, ("c:9443",))
        text = f"[Override]\n{CUEBOT_PORT} = 9443\n"
        self.assertEqual(self.settings(text).grpc.cuebot_endpoints, ("localhost:9443",))

    def test_variables(self) -> None:
        """Names without values are the variables that frames get from the host."""
        runner = self.settings("[UseHostEnvVar]\nMAYA_PATH\nLICENSE\n").runner
        self.assertEqual(runner.host_env_vars, ("MAYA_PATH", "LICENSE"))

    def test_containers(self) -> None:
        """Images and mounts, in both spellings; the images are then the systems on offer."""
        settings = self.settings(
            "[docker.config]\nRUN_ON_DOCKER = yes\n"
            "DOCKER_SHELL_PATH = /usr/bin/sh\nDOCKER_GPU_MODE = False\n"
            "[docker.images]\nrocky9 = rocky9.3:latest\n"
            "[docker.mounts]\n"
            "TMP = type:bind,source:/tmp,target:/tmp,bind-propagation:slave\n"
            "NET = type=bind,src=/net,dst=/net\n"
        )
        runner = settings.runner
        self.assertTrue(runner.run_on_docker)
        self.assertEqual((settings.docker.shell_path, settings.docker.gpus), ("/usr/bin/sh", False))
        self.assertEqual(dict(runner.docker_images), {"rocky9": "rocky9.3:latest"})
        self.assertEqual([mount.target for mount in runner.docker_mounts], ["/tmp", "/net"])
        self.assertEqual(runner.docker_mounts[0].bind_propagation, "slave")
        self.assertEqual(runner.docker_default_image, "rocky9.3:latest")
        self.assertEqual(settings.machine.override_real_values.os, None)

    def test_no_counterpart(self) -> None:
        """Each key that is nothing here is a comment that says why; so is what nobody knows."""
        lines = [f"{key} = 1" for key in [*WITHOUT, "MISSPELT"]]
        text = migrate("\n".join(["[Override]", *lines, "[more]"]), "rqd.conf", {})
        comments = [line for line in text.splitlines() if line.startswith("# ")]
        for key in [*WITHOUT, "MISSPELT"]:
            self.assertEqual(len([c for c in comments if c.startswith(f"# {key} = 1: ")]), 1)
        self.assertIn("# [more] means nothing here.", comments)

    def test_problems(self) -> None:
        """All problems are told at once, each with its line, section and key."""
        found = self.problems(
            "[Override]\nOVERRIDE_CORES = many\nRQD_TAGS = a\nOVERRIDE_NIMBY = perhaps\n"
            "CUEBOT_GRPC_PORT = x\n[docker.mounts]\nA = type:bind\nB = what\n"
        )
        self.assertEqual(
            found,
            [
                "line 2, [Override] OVERRIDE_CORES: expected a whole number, not 'many'",
                "line 4, [Override] OVERRIDE_NIMBY: expected yes or no, not 'perhaps'",
                "line 5, [Override] CUEBOT_GRPC_PORT: expected a whole number, not 'x'",
                "line 7, [docker.mounts] A: a mount without a target: 'type:bind'",
                "line 8, [docker.mounts] B: no part of a mount: 'what'",
            ],
        )

    def test_not_for_the_agent(self) -> None:
        """What the agent would refuse is refused here already, with the line of the old file."""
        found = self.problems(
            "[Override]\n# one for all\nRQD_GRPC_PORT: 99999\nOVERRIDE_CUEBOT = a/b\n"
            "[docker.images]\nrocky9\n"
        )
        self.assertEqual(
            [each.split(":")[0] for each in found],
            [
                "line 3, [Override] RQD_GRPC_PORT",
                "line 4, [Override] OVERRIDE_CUEBOT",
                "line 6, [docker.images] rocky9",
            ],
        )
        self.assertIn("from 1 to 65535, not 99999", found[0])

    def test_twice(self) -> None:
        """A key that is there twice is a problem with a line: the classic agent would read none."""
        (found,) = self.problems("[Override]\nGPU = 1\nGPU = 0\n")
        self.assertRegex(found, r"\[line +3\]")

    def test_indented_line(self) -> None:
        """So is a line that goes on with a value that is not there."""
        self.assertEqual(len(self.problems("[UseHostEnvVar]\nMAYA\n  LICENSE\n")), 1)

    def test_workstation(self) -> None:
        """A host that watches for its user gets no tag that it didn't have."""
        real = self.settings("[Override]\nOVERRIDE_NIMBY = 1\n").machine.override_real_values
        self.assertIs(real.workstation_mode, False)
        text = "[Override]\nOVERRIDE_NIMBY = 1\nOVERRIDE_IS_DESKTOP = 1\n"
        self.assertIs(self.settings(text).machine.override_real_values.workstation_mode, True)

    def test_all_variables(self) -> None:
        """Beside a list of variables, all of them were never meant."""
        text = "[Override]\nRQD_USE_ALL_HOST_ENV_VARS = 1\n[UseHostEnvVar]\nLICENSE\n"
        runner = self.settings(text).runner
        self.assertEqual(runner.host_env_vars, ("LICENSE",))
        self.assertFalse(runner.use_all_host_env_vars)

    def test_differences(self) -> None:
        """What differs and was not decided is told; what was, is not."""
        text = migrate("[Override]\nCONSOLE_LOG_LEVEL = INFO\n", "rqd.conf", {})
        self.assertIn("\n# runner.run_as_user: ", text)
        self.assertNotIn("\n# logging.level: ", text)

    def test_no_ini(self) -> None:
        """What is no INI file is said to be none."""
        self.assertEqual(len(self.problems("cores = 4\n")), 1)

    @given(st.text() | st.text().map("[Override]\n{}".format))
    def test_any_text(self, text: str) -> None:
        """Any text becomes YAML, or is refused with sentences."""
        try:
            migrated = migrate(text, "rqd.conf", {})
        except Problems as problems:
            self.assertTrue(all(problems.args))
        else:
            read_text(migrated)

    def test_comments(self) -> None:
        """A value of several lines, or of odd characters, is no more than a comment."""
        text = "[Override]\nSENTRY_DSN_PATH = a\n  b: c\nMISSPELT = \x07\n"
        migrated = migrate(text, "rqd.conf", {})
        self.assertEqual(read_text(migrated).keys(), {"machine", "runner"})
        self.assertIn("# SENTRY_DSN_PATH = a b: c: ", migrated)


class CommandTests(SynchronousTestCase):
    """C{openrqd migrate-config}."""

    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = "from rqd.command import main; main()"
        command = [sys.executable, "-c", program, "migrate-config", *arguments]
        environ = {**os.environ, "PYTHONPATH": str(SOURCE_TREE)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def test_prints(self) -> None:
        """The new configuration goes to stdout."""
        path = Path(self.mktemp())
        path.write_text("[Override]\nRQD_GRPC_PORT = 9000\n")
        done = self.run_command(str(path))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("  rqd_port: 9000  # RQD_GRPC_PORT\n", done.stdout)

    def test_bad_value(self) -> None:
        """A file that can't be used: status 78 and nothing on stdout."""
        path = Path(self.mktemp())
        path.write_text("[Override]\nRQD_GRPC_PORT = x\n")
        done = self.run_command(str(path))
        self.assertEqual((done.returncode, done.stdout), (os.EX_CONFIG, ""))
        self.assertTrue(
            done.stderr.startswith(f"error: {path}: line 2, [Override] RQD_GRPC_PORT: ")
        )

    def test_no_text(self) -> None:
        """Bytes that are no text are no configuration."""
        path = Path(self.mktemp())
        path.write_bytes(b"[Override]\n\xff\n")
        self.assertEqual(self.run_command(str(path)).returncode, os.EX_CONFIG)

    def test_no_file(self) -> None:
        """A file that isn't there: status 66 and why."""
        done = self.run_command("/nowhere/rqd.conf")
        self.assertEqual(done.returncode, os.EX_NOINPUT)
        self.assertIn("/nowhere/rqd.conf can't be read: No such file", done.stderr)

    def test_usage(self) -> None:
        """Without a file, or with two, it says how it is used."""
        for arguments in ((), ("a", "b"), ("--what",)):
            done = self.run_command(*arguments)
            self.assertEqual(done.returncode, os.EX_USAGE)
            self.assertIn("Usage: openrqd migrate-config FILE", done.stderr)
        self.assertEqual(self.run_command("--help").returncode, 0)
