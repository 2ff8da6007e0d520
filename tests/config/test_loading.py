"""The whole of a configuration: odd keys, many mistakes at once, rules between keys."""

from __future__ import annotations

import os
from dataclasses import FrozenInstanceError

from twisted.trial.unittest import SynchronousTestCase

from rqd.config import ConfigurationError, Settings, load
from rqd.config.keys import leaves
from tests.config.texts import loaded, problems, write

_UPSTREAM = os.path.join(
    os.path.dirname(__file__), os.pardir, os.pardir, os.pardir, "shared", "upstream-config"
)

TEN_MISTAKES = """
logging: {level: loud}
grpc: {rqd_port: 99999, cuebot_endpoints: [], backoff_delay_min: 2m}
machine: {monitor_interval: soon, override_real_values: {cores: -4, memory_size: plenty}}
runner:
  default_uid: 0
  shell_path: bash
  log_exit_status_rules: [{name: license, regex: "(", exit_status: 330}]
"""


class OddKeyTests(SynchronousTestCase):
    """Keys that are unknown, old, doubled or placeholders."""

    def test_unknown(self) -> None:
        """An unknown key is a warning that names the nearest known one."""
        found = loaded(
            self,
            "grpc: {rqd_prot: 1}\nrunner: {facility: lax}\nmachina: {}\n"
            "machine: {override_real_values: {memory: 2GB}}",
        )
        self.assertEqual(
            found.warnings,
            (
                "grpc.rqd_prot: unknown key, ignored; the nearest known one is grpc.rqd_port",
                "runner.facility: unknown key, ignored; the nearest known one is machine.facility",
                "machina: unknown key, ignored; the nearest known one is machine",
                (
                    "machine.override_real_values.memory: unknown key, ignored; "
                    "the nearest known one is machine.override_real_values.memory_size"
                ),
            ),
        )

    def test_unknown_that_is_no_text(self) -> None:
        """A key that is no text is unknown, too."""
        found = loaded(self, "7: x\nnull: y\ngrpc: {true: z, 2026-01-01: z}")
        self.assertEqual(
            [each.partition(":")[0] for each in found.warnings],
            ["7", "None", "grpc.True", "grpc.2026-01-01"],
        )

    def test_unknown_in_records(self) -> None:
        """An unknown key of a record is a warning with the record's place."""
        found = loaded(self, "runner: {docker_mounts: [{target: /a, source: /b, mode: ro}]}")
        (warning,) = found.warnings
        self.assertTrue(warning.startswith("runner.docker_mounts[0].mode: unknown key"), warning)
        self.assertIn("runner.docker_mounts[0].", warning.partition("one is ")[2])

    def test_retired(self) -> None:
        """A key of another agent without a meaning here is a warning with the reason."""
        found = loaded(self, "machine: {use_session_id_for_proc_lineage: false}")
        self.assertEqual(
            found.warnings,
            (
                (
                    "machine.use_session_id_for_proc_lineage: has no meaning here: "
                    "a process always belongs to its frame by cgroup, else by session"
                ),
            ),
        )

    def test_placeholders(self) -> None:
        """Empty names and mounts of empty texts mean nothing, silently."""
        found = loaded(
            self,
            'logging: {"": ""}\nrunner: {"": "", docker.images: {"": ""}, docker.mounts: '
            '[{target: "", source: "", typ: "", bind-propagation: ""}]}',
        )
        self.assertEqual(found.warnings, ())
        self.assertEqual(found.settings.runner.docker_mounts, ())
        self.assertEqual(dict(found.settings.runner.docker_images), {})

    def test_spellings(self) -> None:
        """Upstream's spellings with a dot and a dash are taken as ours, and lose against them."""
        found = loaded(
            self,
            "runner:\n"
            "  docker.images: {rocky9: a}\n"
            "  docker.mounts: [{target: /a, source: /b, typ: bind, bind-propagation: slave}]\n",
        )
        self.assertEqual(found.warnings, ())
        self.assertEqual(dict(found.settings.runner.docker_images), {"rocky9": "a"})
        self.assertEqual(found.settings.runner.docker_mounts[0].bind_propagation, "slave")
        self.assertEqual(found.origins["runner.docker_mounts"], found.path)
        found = loaded(self, "runner: {docker.images: {a: b}, docker_images: {c: d}}")
        self.assertEqual(dict(found.settings.runner.docker_images), {"c": "d"})
        self.assertEqual(
            found.warnings, ("runner.docker.images: ignored, docker_images is there, too",)
        )

    def test_null(self) -> None:
        """A key without a value counts as not there."""
        found = loaded(self, "grpc: {rqd_port: , cuebot_endpoints: null}")
        self.assertEqual(found.settings.grpc, Settings().grpc)
        self.assertEqual(found.origins["grpc.rqd_port"], "default")


class ProblemTests(SynchronousTestCase):
    """Everything that is wrong, at once."""

    def test_ten_mistakes(self) -> None:
        """Ten mistakes are ten lines, each with its key, the wrong value and the file."""
        path = write(self, TEN_MISTAKES)
        caught = self.assertRaises(ConfigurationError, load, path, {})
        expected = [
            ("grpc.backoff_delay_min", "2m"),
            ("grpc.cuebot_endpoints", "[]"),
            ("grpc.rqd_port", "99999"),
            ("logging.level", "'loud'"),
            ("machine.monitor_interval", "'soon'"),
            ("machine.override_real_values.cores", "-4"),
            ("machine.override_real_values.memory_size", "'plenty'"),
            ("runner.default_uid", "0"),
            ("runner.log_exit_status_rules[0].regex", "'('"),
            ("runner.shell_path", "'bash'"),
        ]
        self.assertEqual(len(caught.problems), 10)
        for line, (key, value) in zip(caught.problems, expected, strict=True):
            self.assertTrue(line.startswith(f"{key}: expected "), line)
            self.assertTrue(line.endswith(f", not {value} ({path})"), line)
        self.assertEqual(str(caught), "\n".join(caught.problems))

    def test_warnings_beside_problems(self) -> None:
        """What was odd is told beside what was wrong."""
        path = write(self, "grpc: {rqd_port: x, rqd_prot: 1}")
        caught = self.assertRaises(ConfigurationError, load, path, {})
        self.assertEqual(len(caught.problems), 1)
        self.assertEqual(len(caught.warnings), 1)

    def test_long_values(self) -> None:
        """A wrong value is quoted on one short line, however long it is."""
        (line,) = problems(self, f'grpc: {{rqd_port: "{"x" * 5000}\\n"}}')
        self.assertLess(len(line), 250)
        self.assertNotIn("\n", line)

    def test_rules_between_keys(self) -> None:
        """Rules between keys hold for values from anywhere, also for defaults."""
        self.assertEqual(
            problems(self, "grpc: {backoff_delay_max: 1ms}"),
            ["grpc.backoff_delay_min: expected at most grpc.backoff_delay_max (1ms), not 10ms"],
        )

    def test_rules_need_right_values(self) -> None:
        """A rule says nothing about a key whose value is wrong anyway."""
        self.assertEqual(
            len(problems(self, "grpc: {backoff_delay_min: x, backoff_delay_max: 1ms}")), 1
        )

    def test_nimby_lock_without_nimby(self) -> None:
        """A setting that has no effect is a warning."""
        found = loaded(self, "machine: {nimby_lock_by_default: true}")
        self.assertEqual(
            found.warnings,
            ("machine.nimby_lock_by_default: has no effect without machine.nimby_mode",),
        )


class LoadedTests(SynchronousTestCase):
    """What loading returns."""

    def test_frozen(self) -> None:
        """Settings can't be changed, so that parts may share them."""
        settings = loaded(self, "runner: {docker_images: {a: b}}").settings
        with self.assertRaises(FrozenInstanceError):
            settings.grpc.rqd_port = 1  # type: ignore[misc]
        with self.assertRaises(TypeError):
            settings.runner.docker_images["a"] = "c"  # type: ignore[index]

    def test_origins_are_complete(self) -> None:
        """Every key has an origin."""
        found = loaded(self)
        self.assertEqual(set(found.origins), {".".join(path) for path, _ in leaves(Settings)})

    def test_upstream_shapes(self) -> None:
        """A file in upstream's shape loads, with one warning for the key without a meaning."""
        found = loaded(
            self,
            """
logging: {"": "", level: info}
grpc: {rqd_port: 4778, cuebot_endpoints: ["cuebot.example.com:8082"]}
machine:
  "": ""
  facility: test
  cpuinfo_path: "./resources/cpuinfo"
  use_session_id_for_proc_lineage: true
runner:
  snapshots_path: $HOME/.rqd/snapshots
  kill_monitor_interval: 2m
  docker.mounts:
    - {target: "", source: "", typ: "", bind-propagation: ""}
  docker.images: {rhel7: "centos7:latest"}
""",
        )
        self.assertEqual(len(found.warnings), 1)
        self.assertEqual(found.settings.runner.snapshots_path, "/home/artist/.rqd/snapshots")
        self.assertEqual(found.settings.runner.kill_monitor_interval, 120)

    def test_upstream_files(self) -> None:
        """Upstream's own files load, where they lie beside this project."""
        names = ("rqd.yaml", "rqd.dummy.cuebot.yaml", "rqd.local.cuebot.yaml")
        if not os.path.isdir(_UPSTREAM):
            self.skipTest("upstream's files are not beside this project")
        for name in names:
            found = load(os.path.join(_UPSTREAM, name), {"HOME": "/home/artist"})
            for warning in found.warnings:
                self.assertIn("use_session_id_for_proc_lineage", warning)
        self.assertEqual(found.settings.machine.worker_threads, 8)
        self.assertEqual(found.settings.runner.kill_monitor_timeout, 60)
        self.assertEqual(found.settings.grpc.connection_expires_after, 900)
