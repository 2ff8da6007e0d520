"""What single values may be, in a file and in a variable."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import DockerMount, ExitStatusRule
from tests.config.texts import loaded, problems


class ScalarTests(SynchronousTestCase):
    """Texts, truth values, numbers and words."""

    def test_truth_values(self) -> None:
        """Truth values are YAML's, and the words that people put into variables."""
        for word, value in {"1": True, "Yes": True, "on": True, "off": False, "0": False}.items():
            found = loaded(self, OPENRQD__RUNNER__RUN_AS_USER=word)
            self.assertIs(found.settings.runner.run_as_user, value)
        self.assertEqual(
            problems(self, "runner: {run_as_user: maybe, desktop_mode: 2, run_on_docker: [true]}"),
            [
                "runner.desktop_mode: expected true or false, not 2",
                "runner.run_as_user: expected true or false, not 'maybe'",
                "runner.run_on_docker: expected true or false, not [True]",
            ],
        )

    def test_integers(self) -> None:
        """Whole numbers are taken from text, and bounds are named."""
        self.assertEqual(loaded(self, 'grpc: {rqd_port: "8445"}').settings.grpc.rqd_port, 8445)
        for value in ("0", "65536", "-1"):
            self.assertIn(
                "grpc.rqd_port: expected a whole number from 1 to 65535",
                problems(self, f"grpc: {{rqd_port: {value}}}")[0],
            )
        for value in ("8444.0", "yes", "x", "[]"):
            self.assertIn(
                "grpc.rqd_port: expected a whole number, not",
                problems(self, f"grpc: {{rqd_port: {value}}}")[0],
            )

    def test_numbers(self) -> None:
        """Percentages may have a fraction."""
        grpc = loaded(self, "grpc: {backoff_jitter_percentage: 12.5}").settings.grpc
        self.assertEqual(grpc.backoff_jitter_percentage, 12.5)
        for value in (".nan", ".inf", "101", "-1", "1" + "0" * 400, "x"):
            self.assertEqual(
                len(problems(self, f"grpc: {{backoff_jitter_percentage: {value}}}")), 1
            )

    def test_commands(self) -> None:
        """A command is a list of words, or a line of them; no word is more than it says."""
        for written, command in (
            ('"sv restart openrqd"', ("sv", "restart", "openrqd")),
            (json.dumps("say 'good night' \"you all\""), ("say", "good night", "you all")),
            ("[/bin/sh, -c, 'sync && reboot']", ("/bin/sh", "-c", "sync && reboot")),
        ):
            found = loaded(self, f"machine: {{reboot_command: {written}}}")
            self.assertEqual(found.settings.machine.reboot_command, command)
        found = loaded(self, OPENRQD__MACHINE__RESTART_COMMAND="sv restart openrqd")
        self.assertEqual(found.settings.machine.restart_command, ("sv", "restart", "openrqd"))

    def test_commands_for_a_shell(self) -> None:
        """A line that only a shell understands is refused: its rest would become arguments."""
        for line in ("sync && reboot", "reboot; true", "reboot >/dev/null", "echo $HOME", "a\nb"):
            (problem,) = problems(self, f"machine: {{reboot_command: {json.dumps(line)}}}")
            self.assertIn("[/bin/sh, -c, ...]", problem)

    def test_no_commands(self) -> None:
        """What names no program is refused."""
        for written in ('""', '" "', "[]", '[""]', "[1]", "7", "{a: b}", '"\'"', '["a\\0"]'):
            self.assertEqual(len(problems(self, f"machine: {{reboot_command: {written}}}")), 1)

    def test_roots_are_refused(self) -> None:
        """A default user or group that is root's is refused."""
        self.assertEqual(
            problems(self, "runner: {default_uid: 0, default_gid: 0}"),
            [
                "runner.default_gid: expected a whole number from 1 to 4294967294, not 0",
                "runner.default_uid: expected a whole number from 1 to 4294967294, not 0",
            ],
        )

    def test_text(self) -> None:
        """Text is trimmed; numbers are not guessed to be text, since 1.10 would become 1.1."""
        self.assertEqual(
            loaded(self, 'machine: {facility: " lax "}').settings.machine.facility, "lax"
        )
        self.assertEqual(
            problems(self, 'machine: {facility: 1.10, custom_tags: ["", "a\\nb"]}'),
            [
                "machine.custom_tags[0]: expected printable text that is not empty, not ''",
                "machine.custom_tags[1]: expected printable text that is not empty, not 'a\\nb'",
                "machine.facility: expected text (a number or a truth value needs quotes), not 1.1",
            ],
        )

    def test_levels(self) -> None:
        """Levels are those of the log, and the names that upstream has for them."""
        levels = {"INFO": "info", "warning": "warn", "trace": "debug", "critical": "critical"}
        for written, level in levels.items():
            found = loaded(self, f"logging: {{level: {written}}}")
            self.assertEqual(found.settings.logging.level, level)
        self.assertEqual(
            problems(self, "logging: {level: loud}"),
            ["logging.level: expected one of debug, info, warn, error, critical, not 'loud'"],
        )

    def test_durations(self) -> None:
        """What is done again and again needs time in between; a grace may be none."""
        runner = loaded(self, "runner: {kill_monitor_timeout: 0}").settings.runner
        self.assertEqual(runner.kill_monitor_timeout, 0)
        self.assertEqual(
            problems(self, "{machine: {monitor_interval: 0s}, runner: {kill_monitor_timeout: -1}}"),
            [
                "machine.monitor_interval: expected a duration above zero, not '0s'",
                (
                    "runner.kill_monitor_timeout: expected a duration such as "
                    "10ms, 5s, 2m or 1h30m, not -1"
                ),
            ],
        )

    def test_sizes(self) -> None:
        """Upstream's sizes are read as it reads them; a log may be without limit, memory not."""
        found = loaded(
            self,
            "{machine: {override_real_values: {memory_size: 2Gb}}, runner: {log_max_size: 0}}",
        ).settings
        self.assertEqual(found.machine.override_real_values.memory_size, 2 * 10**9)
        self.assertEqual(found.runner.log_max_size, 0)
        self.assertEqual(
            problems(self, "machine: {override_real_values: {memory_size: 0}}"),
            ["machine.override_real_values.memory_size: expected a size above zero, not 0"],
        )


class AddressTests(SynchronousTestCase):
    """Where to call, and where to listen."""

    def test_endpoints(self) -> None:
        """Endpoints come as a list or with commas, and get Cuebot's port if they have none."""
        for text in (
            "[a, 'b.example.com:8444', '[2001:db8::7]', '[::1]:9']",
            "'a, b.example.com:8444,[2001:db8::7] ,[::1]:9,'",
        ):
            self.assertEqual(
                loaded(self, f"grpc: {{cuebot_endpoints: {text}}}").settings.grpc.cuebot_endpoints,
                ("a:8443", "b.example.com:8444", "[2001:db8::7]:8443", "[::1]:9"),
            )

    def test_same_endpoint(self) -> None:
        """An endpoint that is named twice is no second one to fail over to."""
        grpc = loaded(self, "grpc: {cuebot_endpoints: 'a,a:8443'}").settings.grpc
        self.assertEqual(grpc.cuebot_endpoints, ("a:8443",))

    def test_bad_endpoints(self) -> None:
        """Each bad endpoint is named, with what is wrong about it."""
        self.assertEqual(
            problems(
                self,
                "grpc: {cuebot_endpoints: ['http://a:1', '2001:db8::7', 'a:0', 'a:99999', 'a:x', "
                "'', 5, 'a b', '[a]:1', 'a:1:2']}",
            ),
            [
                "grpc.cuebot_endpoints[0]: expected host:port without a scheme, not 'http://a:1'",
                "grpc.cuebot_endpoints[1]: expected host:port, IPv6 in brackets, not '2001:db8::7'",
                "grpc.cuebot_endpoints[2]: expected a port from 1 to 65535, not 'a:0'",
                "grpc.cuebot_endpoints[3]: expected a port from 1 to 65535, not 'a:99999'",
                "grpc.cuebot_endpoints[4]: expected host:port, not 'a:x'",
                "grpc.cuebot_endpoints[5]: expected host:port, not ''",
                "grpc.cuebot_endpoints[6]: expected host:port, not 5",
                "grpc.cuebot_endpoints[7]: expected host:port, not 'a b'",
                "grpc.cuebot_endpoints[8]: expected host:port, not '[a]:1'",
                "grpc.cuebot_endpoints[9]: expected host:port, not 'a:1:2'",
            ],
        )

    def test_no_endpoint(self) -> None:
        """An agent without a Cuebot is of no use."""
        for text in ("[]", "''", "','"):
            self.assertIn(
                "grpc.cuebot_endpoints: expected at least one host:port",
                problems(self, f"grpc: {{cuebot_endpoints: {text}}}")[0],
            )

    def test_interface(self) -> None:
        """All interfaces are C{all}, also written as upstream does; else an address."""
        cases = {"": "all", "all": "all", "*": "all", "10.0.0.7": "10.0.0.7", "[::1]": "::1"}
        for written, interface in cases.items():
            found = loaded(self, f"grpc: {{rqd_interface: '{written}'}}")
            self.assertEqual(found.settings.grpc.rqd_interface, interface)
        self.assertEqual(
            problems(self, "grpc: {rqd_interface: '10.0.0.7:8444'}"),
            ["grpc.rqd_interface: expected all, a host name or an address, not '10.0.0.7:8444'"],
        )

    def test_hosts(self) -> None:
        """A host's name has no port and no blanks."""
        self.assertEqual(
            problems(
                self,
                "{machine: {override_real_values: {hostname: 'my host'}},"
                " runner: {loki_allowed_hosts: ['http://loki', loki]}}",
            ),
            [
                (
                    "machine.override_real_values.hostname: expected a host name or an address, "
                    "without a port, not 'my host'"
                ),
                (
                    "runner.loki_allowed_hosts[0]: expected a host name or an address, "
                    "without a port, not 'http://loki'"
                ),
            ],
        )


class RecordTests(SynchronousTestCase):
    """Mounts, images, rules and names of variables."""

    def test_mounts(self) -> None:
        """A mount is a bind mount unless it says otherwise; a tmpfs has no source."""
        runner = loaded(
            self,
            "runner: {docker_mounts: [{target: /shows, source: /net/shows},"
            " {target: /cache, source: cache, typ: volume}, {target: /t, typ: TMPFS}]}",
        ).settings.runner
        self.assertEqual(
            runner.docker_mounts,
            (
                DockerMount("/shows", "/net/shows", "bind", "rprivate"),
                DockerMount("/cache", "cache", "volume", "rprivate"),
                DockerMount("/t", "", "tmpfs", "rprivate"),
            ),
        )

    def test_bad_mounts(self) -> None:
        """Every bad mount is named, not only the first."""
        self.assertEqual(
            problems(
                self,
                "runner: {docker_mounts: [{target: shows, source: /s}, {source: /s, typ: nfs},"
                " {target: /a, source: b}, {target: /a, typ: volume}, /a]}",
            ),
            [
                "runner.docker_mounts[0].target: expected an absolute path, not 'shows'",
                "runner.docker_mounts[1].target: missing",
                "runner.docker_mounts[1].typ: expected one of bind, volume, tmpfs, not 'nfs'",
                (
                    "runner.docker_mounts[2]: expected an absolute source for a bind mount, "
                    "not {'source': 'b', 'target': '/a'}"
                ),
                (
                    "runner.docker_mounts[3]: expected a source that names the volume, "
                    "not {'target': '/a', 'typ': 'volume'}"
                ),
                "runner.docker_mounts[4]: expected keys and values, not '/a'",
            ],
        )

    def test_images(self) -> None:
        """Images are found by the name of an operating system, which is text."""
        runner = loaded(self, "runner: {docker_images: {rocky9: 'rocky:9'}}").settings.runner
        self.assertEqual(dict(runner.docker_images), {"rocky9": "rocky:9"})
        self.assertEqual(
            problems(self, "runner: {docker_images: {rocky9: 9}}")
            + problems(self, "runner: {docker_images: {9: a}}")
            + problems(self, "runner: {docker_images: [a]}"),
            [
                (
                    "runner.docker_images.rocky9: expected text (a number or a truth value needs "
                    "quotes), not 9"
                ),
                (
                    "runner.docker_images: expected keys that are text (a number needs quotes), "
                    "not {9: 'a'}"
                ),
                "runner.docker_images: expected keys and values, not ['a']",
            ],
        )

    def test_rules(self) -> None:
        """A rule needs all of its parts, and a regular expression that compiles."""
        runner = loaded(
            self,
            "runner: {log_exit_status_rules: [{name: a, regex: '(?i)no lic', exit_status: 330}]}",
        ).settings.runner
        self.assertEqual(runner.log_exit_status_rules, (ExitStatusRule("a", "(?i)no lic", 330),))
        self.assertEqual(
            problems(
                self,
                "runner: {log_exit_status_rules:"
                " [{name: a}, {name: b, regex: '(', exit_status: x}]}",
            ),
            [
                "runner.log_exit_status_rules[0].exit_status: missing",
                "runner.log_exit_status_rules[0].regex: missing",
                "runner.log_exit_status_rules[1].exit_status: expected a whole number, not 'x'",
                (
                    "runner.log_exit_status_rules[1].regex: expected a regular expression "
                    "(missing ), unterminated subpattern at position 0), not '('"
                ),
            ],
        )

    def test_variable_names(self) -> None:
        """A name of a variable holds neither an equals sign nor blanks."""
        self.assertEqual(
            problems(self, "runner: {host_env_vars: [A, 'B=C', 'D E', [F]]}"),
            [
                "runner.host_env_vars[1]: expected the name of an environment variable, not 'B=C'",
                "runner.host_env_vars[2]: expected the name of an environment variable, not 'D E'",
                (
                    "runner.host_env_vars[3]: expected text "
                    "(a number or a truth value needs quotes), not ['F']"
                ),
            ],
        )

    def test_lists(self) -> None:
        """A list that is none is refused as a whole."""
        self.assertEqual(
            problems(self, "{machine: {custom_tags: 5}, runner: {docker_mounts: {target: /a}}}"),
            [
                "machine.custom_tags: expected a list, not 5",
                "runner.docker_mounts: expected a list, not {'target': '/a'}",
            ],
        )
