"""Paths in settings."""

from __future__ import annotations

import os
import pwd

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.paths import escape, home, resolve
from tests.config.texts import loaded, problems


class ResolveTests(SynchronousTestCase):
    """L{resolve}."""

    def test_expansion(self) -> None:
        """Variables and the tilde are filled in from the environment that was given."""
        environ = {"HOME": "/home/artist", "SHOW": "bunny"}
        cases = {
            "$HOME/.rqd": "/home/artist/.rqd",
            "~/.rqd": "/home/artist/.rqd",
            "~": "/home/artist",
            "/shows/${SHOW}x/$SHOW": "/shows/bunnyx/bunny",
            "/pay/$$HOME": "/pay/$HOME",
            "/a~/b": "/a~/b",
            "/odd/$": "/odd/$",
            "$TMPDIR": "/tmp",
        }
        self.assertEqual({text: resolve(text, base="/", environ=environ) for text in cases}, cases)

    def test_system_temp(self) -> None:
        """C{$TMPDIR} is what the environment says, where it says something."""
        self.assertEqual(
            resolve("$TMPDIR/x", base="/", environ={"TMPDIR": "/scratch"}), "/scratch/x"
        )

    def test_home_unset(self) -> None:
        """Without C{$HOME} the user database knows the home folder."""
        self.assertEqual(home({}), pwd.getpwuid(os.geteuid()).pw_dir)

    def test_base(self) -> None:
        """A relative path starts at the base; without one it stays as it is."""
        self.assertEqual(resolve("./a/../b", base="/etc", environ={}), "/etc/b")
        self.assertEqual(resolve("bash", base=None, environ={}), "bash")

    def test_unset_variable(self) -> None:
        """A variable that is not set is named, rather than left out."""
        caught = self.assertRaises(ValueError, resolve, "$NOPE/x", base="/", environ={})
        self.assertEqual(str(caught), "expected a path whose variables are set (NOPE is not)")

    def test_empty(self) -> None:
        """Nothing, and what holds a NUL, is no path."""
        for text in ("", "/a\0b"):
            self.assertRaises(ValueError, resolve, text, base="/", environ={})

    @given(st.text(alphabet=st.sampled_from("/ab$~{}.H"), min_size=1))
    @settings(deadline=None)
    def test_escape(self, text: str) -> None:
        """An escaped path holds no variables."""
        self.assertEqual(resolve(escape("/" + text), base=None, environ={}), "/" + text)


class PathSettingTests(SynchronousTestCase):
    """Paths as keys of a file."""

    def test_relative_to_the_file(self) -> None:
        """A relative path in a file starts at the file's folder, not at the current one."""
        found = loaded(self, "machine: {cpuinfo_path: fake/cpuinfo}")
        assert found.path is not None
        self.assertEqual(
            found.settings.machine.cpuinfo_path,
            os.path.join(os.path.dirname(found.path), "fake/cpuinfo"),
        )

    def test_relative_in_a_variable(self) -> None:
        """A relative path in a variable starts at the current folder, as in a shell."""
        found = loaded(self, OPENRQD__MACHINE__CPUINFO_PATH="fake/cpuinfo")
        self.assertEqual(found.settings.machine.cpuinfo_path, os.path.abspath("fake/cpuinfo"))

    def test_default_of_the_environment(self) -> None:
        """Defaults are filled in from the environment that was given, not from our own."""
        found = loaded(self, TMPDIR="/scratch").settings.runner
        self.assertEqual(found.snapshots_path, "/home/artist/.rqd/snapshots")
        self.assertEqual(found.temp_path, "/scratch")

    def test_shell_is_absolute(self) -> None:
        """The shell is never looked for beside the configuration file."""
        self.assertEqual(
            problems(self, "runner: {shell_path: bash}"),
            ["runner.shell_path: expected an absolute path, not 'bash'"],
        )

    def test_bad_paths(self) -> None:
        """What can't be a path is refused as it was written."""
        self.assertEqual(
            problems(
                self,
                'machine: {temp_path: 5, cpuinfo_path: "$NOPE/x", proc_stat_path: "", '
                "distro_release_path: [a]}",
                OPENRQD__MACHINE__PROC_LOADAVG_PATH="/a\udcff",
            ),
            [
                (
                    "machine.cpuinfo_path: expected a path whose variables are set (NOPE is not), "
                    "not '$NOPE/x'"
                ),
                "machine.distro_release_path: expected a path, not ['a']",
                (
                    "machine.proc_loadavg_path: expected a path, not '/a\\udcff' "
                    "(OPENRQD__MACHINE__PROC_LOADAVG_PATH)"
                ),
                "machine.proc_stat_path: expected a path, not ''",
                "machine.temp_path: expected a path, not 5",
            ],
        )
