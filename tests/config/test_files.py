"""Which file counts, and files that are broken."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.config import ConfigurationError, Settings, load
from tests.config.texts import loaded, problems, write


class SearchTests(SynchronousTestCase):
    """The order of places."""

    def setUp(self) -> None:
        """A file in every place, each with a facility of its own."""
        self.option = write(self, "machine: {facility: option}")
        self.variable = write(self, "machine: {facility: variable}")
        self.system = write(self, "machine: {facility: system}")
        self.home = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(self.home, ".local/share"))
        self.user = os.path.join(self.home, ".local/share/rqd.yaml")
        with open(self.user, "w", encoding="utf-8") as stream:
            stream.write("machine: {facility: user}")
        self.environ = {"HOME": self.home, "OPENCUE_RQD_CONFIG": self.variable}

    def facility(self, path: str | None = None) -> tuple[str, str | None]:
        """What the file that counts says, and which one that is."""
        found = load(path, self.environ, system_file=self.system)
        return found.settings.machine.facility, found.path

    def test_order(self) -> None:
        """Option, variable, system, user, defaults: the first file there is is the only one."""
        self.assertEqual(self.facility(self.option), ("option", self.option))
        self.assertEqual(self.facility(), ("variable", self.variable))
        self.environ["OPENCUE_RQD_CONFIG"] = ""
        self.assertEqual(self.facility(), ("system", self.system))
        os.remove(self.system)
        self.assertEqual(self.facility(), ("user", self.user))
        os.remove(self.user)
        self.assertEqual(self.facility(), ("cloud", None))

    def test_asked_for_and_missing(self) -> None:
        """A file that was asked for must exist: another one is never taken instead."""
        for path, environ in (
            ("/nowhere/rqd.yaml", self.environ),
            (None, {"HOME": self.home, "OPENCUE_RQD_CONFIG": "/nowhere/rqd.yaml"}),
        ):
            caught = self.assertRaises(
                ConfigurationError, load, path, environ, system_file=self.system
            )
            self.assertEqual(
                caught.problems, ("/nowhere/rqd.yaml: cannot be read: No such file or directory",)
            )

    def test_folder(self) -> None:
        """A folder in place of a file is a problem, also in a usual place."""
        caught = self.assertRaises(
            ConfigurationError, load, None, {"HOME": self.home}, system_file=self.home
        )
        self.assertEqual(caught.problems, (f"{self.home}: cannot be read: Is a directory",))

    def test_nul(self) -> None:
        """A path that no file can have is a problem, not a traceback."""
        caught = self.assertRaises(ConfigurationError, load, "a\0b", self.environ)
        self.assertEqual(len(caught.problems), 1)

    def test_relative_option(self) -> None:
        """The path is kept as an absolute one: the current folder may change."""
        found = load(os.path.relpath(self.option), self.environ)
        self.assertEqual(found.path, self.option)


class ContentTests(SynchronousTestCase):
    """What a file holds."""

    def test_empty(self) -> None:
        """Nothing, comments, and sections without keys are the defaults."""
        for text in ("", "# nothing\n", "---\n", "grpc:\nmachine:\n", "{}"):
            found = loaded(self, text)
            self.assertEqual(found.settings.grpc, Settings().grpc)
            self.assertEqual(found.warnings, ())
            self.assertEqual(set(found.origins.values()), {"default"})

    def test_broken(self) -> None:
        """A text that is no YAML is one line with the place of the mistake."""
        (line,) = problems(self, "grpc:\n  rqd_port: [1\nmachine: 5\n")
        self.assertTrue(line.startswith("FILE: line 3, column 8: "), line)
        (line,) = problems(self, "grpc:\n\trqd_port: 1\n")
        self.assertTrue(line.startswith("FILE: line 2, column 1: "), line)

    def test_twice(self) -> None:
        """A key that is there twice is an error: one of the two would be lost without a word."""
        self.assertEqual(
            problems(self, "grpc: {rqd_port: 1}\nmachine:\ngrpc: {rqd_interface: all}\n"),
            ["FILE: line 3, column 1: the key 'grpc' is there twice"],
        )

    def test_merged_keys(self) -> None:
        """Anchors and merge keys work, and an overridden key is not there twice."""
        found = loaded(
            self,
            "a: &a {rqd_port: 1, rqd_interface: 10.0.0.7}\n"
            "b: &b {<<: *a, rqd_port: 2}\n"
            "grpc: {<<: *b, backoff_delay_min: 1s}\n",
        ).settings.grpc
        self.assertEqual((found.rqd_port, found.rqd_interface), (2, "10.0.0.7"))

    def test_no_mapping(self) -> None:
        """A file without sections is a problem, as is a section without keys."""
        self.assertEqual(
            problems(self, "- a"), ["FILE: expected sections such as grpc: and runner:"]
        )
        self.assertEqual(
            problems(self, "grpc: 5\nmachine: {override_real_values: [1]}"),
            [
                "grpc: expected keys and values, not 5",
                "machine.override_real_values: expected keys and values, not [1]",
            ],
        )

    def test_documents(self) -> None:
        """A second document is not overlooked."""
        (line,) = problems(self, "grpc:\n---\nmachine:\n")
        self.assertIn("expected a single document", line)

    def test_not_utf8(self) -> None:
        """Bytes that are no text are one line."""
        path = write(self, "")
        with open(path, "wb") as stream:
            stream.write(b"machine: {facility: \xff\xfe}")
        caught = self.assertRaises(ConfigurationError, load, path, {})
        (line,) = caught.problems
        self.assertTrue(line.startswith(f"{path}: "), line)
        self.assertNotIn("\n", line)

    def test_bad_date(self) -> None:
        """Values that YAML can't make are one line."""
        (line,) = problems(self, "machine: {facility: 2026-13-01}")
        self.assertEqual(line, "FILE: month must be in 1..12")

    def test_depth_and_size(self) -> None:
        """Nesting without end and aliases that multiply are answered in one short line."""
        self.assertEqual(len(problems(self, "[" * 50_000)), 1)
        text = "a: &a [x, x, x, x, x, x, x, x, x]\n"
        for previous, name in zip("abcdefgh", "bcdefghi", strict=True):
            text += f"{name}: &{name} [{', '.join([f'*{previous}'] * 9)}]\n"
        (line,) = problems(self, text + "grpc: {rqd_port: *i}\nmachine: {facility: lax}")
        self.assertLess(len(line), 1000)

    def test_itself(self) -> None:
        """A list that contains itself is a wrong value like any other."""
        (line,) = problems(self, "grpc: {cuebot_endpoints: &a [*a]}")
        self.assertTrue(line.startswith("grpc.cuebot_endpoints[0]: expected host:port, not ["))
