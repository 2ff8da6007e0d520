"""Settings from environment variables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.keys import leaves
from rqd.config.settings import DockerMount, Settings
from rqd.config.variables import variable_of
from tests.config.texts import loaded, problems


class VariableTests(SynchronousTestCase):
    """C{OPENRQD__SECTION__KEY}."""

    def test_over_the_file(self) -> None:
        """A variable wins over the file, key by key, and is the value's origin."""
        found = loaded(
            self, "grpc: {rqd_port: 1, rqd_interface: 10.0.0.7}", OPENRQD__GRPC__RQD_PORT="2"
        )
        self.assertEqual(found.settings.grpc.rqd_port, 2)
        self.assertEqual(found.settings.grpc.rqd_interface, "10.0.0.7")
        self.assertEqual(found.origins["grpc.rqd_port"], "OPENRQD__GRPC__RQD_PORT")
        self.assertEqual(found.origins["grpc.rqd_interface"], found.path)
        self.assertEqual(found.origins["grpc.cuebot_endpoints"], "default")

    def test_lists(self) -> None:
        """Lists are written with commas; nothing is the empty list."""
        found = loaded(
            self,
            "machine: {custom_tags: [x]}",
            OPENRQD__GRPC__CUEBOT_ENDPOINTS="a, b:1",
            OPENRQD__MACHINE__CUSTOM_TAGS="",
        ).settings
        self.assertEqual(found.grpc.cuebot_endpoints, ("a:8443", "b:1"))
        self.assertEqual(found.machine.custom_tags, ())

    def test_nested(self) -> None:
        """A section within a section needs a further part of the name."""
        found = loaded(
            self,
            OPENRQD__MACHINE__OVERRIDE_REAL_VALUES__CORES="8",
            OPENRQD__MACHINE__OVERRIDE_REAL_VALUES__MEMORY_SIZE="2GB",
        ).settings.machine.override_real_values
        self.assertEqual((found.cores, found.memory_size, found.procs), (8, 2 * 10**9, None))

    def test_entries(self) -> None:
        """Entries of a mapping are added one by one, or the whole of it is set as YAML."""
        text = "runner: {docker_images: {rocky8: a, rocky9: b}}"
        found = loaded(self, text, OPENRQD__RUNNER__DOCKER_IMAGES__ROCKY9="c")
        self.assertEqual(dict(found.settings.runner.docker_images), {"rocky8": "a", "rocky9": "c"})
        self.assertEqual(
            found.origins["runner.docker_images"],
            f"{found.path}, OPENRQD__RUNNER__DOCKER_IMAGES__ROCKY9",
        )
        found = loaded(self, text, OPENRQD__RUNNER__DOCKER_IMAGES="{rocky9: c}")
        self.assertEqual(dict(found.settings.runner.docker_images), {"rocky9": "c"})

    def test_records(self) -> None:
        """Lists of records are set as YAML on one line, in any spelling that a file may have."""
        found = loaded(
            self,
            OPENRQD__RUNNER__DOCKER_MOUNTS="[{target: /a, source: /b, bind-propagation: shared}]",
        )
        self.assertEqual(
            found.settings.runner.docker_mounts, (DockerMount("/a", "/b", "bind", "shared"),)
        )

    def test_every_key(self) -> None:
        """Each key has a variable that sets it, and a wrong value is its problem."""
        for path, each in leaves(Settings):
            if each.is_path or path[-1] in {
                "facility",
                "os",
                "docker_default_image",
                "custom_tags",
            }:
                continue
            lines = problems(self, "", **{variable_of(path): "] / ["})
            self.assertTrue(lines, path)
            for line in lines:
                self.assertTrue(line.startswith(".".join(path)), line)
                self.assertTrue(line.endswith(f"({variable_of(path)})"), line)

    def test_case(self) -> None:
        """The case of a variable does not matter."""
        self.assertEqual(loaded(self, openrqd__grpc__rqd_port="2").settings.grpc.rqd_port, 2)

    def test_unknown(self) -> None:
        """A variable that sets nothing is a warning that names the nearest one that does."""
        found = loaded(
            self,
            OPENRQD__GRPC__RQD_PROT="2",
            OPENRQD__RUNNER__FACILITY="lax",
            OPENRQD__GRPC="x",
            OPENRQD__="x",
            OPENRQD_OTHER="x",
        )
        self.assertIn(
            "OPENRQD__GRPC__RQD_PROT: unknown variable, ignored; "
            "the nearest known one is OPENRQD__GRPC__RQD_PORT",
            found.warnings,
        )
        self.assertIn(
            "OPENRQD__RUNNER__FACILITY: unknown variable, ignored; "
            "the nearest known one is OPENRQD__MACHINE__FACILITY",
            found.warnings,
        )
        self.assertEqual(len(found.warnings), 4)

    def test_retired(self) -> None:
        """A key that has no meaning here has none as a variable, either."""
        (warning,) = loaded(self, OPENRQD__MACHINE__USE_SESSION_ID_FOR_PROC_LINEAGE="true").warnings
        self.assertIn("has no meaning here", warning)

    def test_broken_yaml(self) -> None:
        """YAML that is broken in a variable is named with the variable."""
        (line,) = problems(self, OPENRQD__RUNNER__DOCKER_MOUNTS="[{target")
        self.assertTrue(line.startswith("runner.docker_mounts: line "), line)
        self.assertTrue(line.endswith(", in '[{target' (OPENRQD__RUNNER__DOCKER_MOUNTS)"), line)

    def test_wrong_mapping_stays_wrong(self) -> None:
        """An entry from a variable does not hide that the file's mapping is none."""
        self.assertEqual(
            len(
                problems(
                    self,
                    "runner: {docker_images: 5}",
                    OPENRQD__RUNNER__DOCKER_IMAGES__ROCKY9="c",
                )
            ),
            1,
        )
