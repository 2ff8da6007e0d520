"""Debian's package says what the program says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd import __version__
from rqd.config.keys import leaves
from rqd.config.settings import Settings
from rqd.tap import Options
from tests.environments import lacks

TREE = Path(__file__).parent.parent
DEBIAN = TREE / "debian"


_UNITS = {
    "openrqd.service": "openrqd.service",
    "openrqd.openrqd-frames.service": "openrqd-frames.service",
}
_SCRIPTS = ("build.sh", "openrqd.postinst", "openrqd.postrm", "tests/frame", "tests/service")


class DebianTests(SynchronousTestCase):
    """The files of C{debian/}."""

    def test_version(self) -> None:
        """The newest entry of the changelog is of the version that the agent says it is."""
        first = (DEBIAN / "changelog").read_text().splitlines()[0]
        found = re.fullmatch(r"openrqd \((.*)\) \S+; urgency=\w+", first)
        assert found is not None
        self.assertEqual(found[1], __version__)

    def test_configuration_page(self) -> None:
        """rqd.yaml(5) has every key."""
        command = [sys.executable, DEBIAN / "manual.py"]
        page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        missing = {
            ".".join(path) for path, _ in leaves(Settings) if f"\n.B {'.'.join(path)}\n" not in page
        }
        self.assertEqual(missing, set())

    def test_command_page(self) -> None:
        """openrqd(8) and the completion have every option of the command, and no others."""
        options = Options()
        names = {f"--{name.rstrip('=')}" for name in options.longOpt}
        page = (DEBIAN / "openrqd.8").read_text().replace("\\-", "-")
        completion = (DEBIAN / "openrqd.bash-completion").read_text()
        for text in (page, completion):
            self.assertEqual(set(re.findall(r"--[a-z-]+", text)), names)

    def test_scripts(self) -> None:
        """Each script is one for its shell: dash, or bash where it says so."""
        for name in _SCRIPTS:
            script = DEBIAN / name
            shell = script.read_text().splitlines()[0].removeprefix("#!")
            done = subprocess.run([shell, "-n", script], capture_output=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, b""), name)

    def test_shellcheck(self) -> None:
        """shellcheck has nothing to say of them, nor of the completions."""
        if shutil.which("shellcheck") is None:
            lacks("shellcheck isn't installed")
        completions = sorted(DEBIAN.glob("*.bash-completion"))
        for command in (
            ["shellcheck", *(DEBIAN / name for name in _SCRIPTS)],
            ["shellcheck", "--shell=bash", *completions],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(done.stdout, "")

    def test_units(self) -> None:
        """systemd reads the units without a word about any line of theirs."""
        if shutil.which("systemd-analyze") is None:
            lacks("systemd-analyze isn't installed")
        folder = Path(self.mktemp())
        folder.mkdir()
        program = folder.absolute() / "openrqd"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        for source, name in _UNITS.items():
            text = (DEBIAN / source).read_text().replace("/usr/bin/openrqd", str(program))
            (folder / name).write_text(text)
        command = ["systemd-analyze", "verify", "--man=no", *(folder / x for x in _UNITS.values())]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        ours = [line for line in done.stderr.splitlines() if "openrqd" in line]
        self.assertEqual((done.returncode, ours), (0, []), done.stderr)

    def test_every_test_is_listed(self) -> None:
        """autopkgtest knows of each script in C{debian/tests}."""
        control = (DEBIAN / "tests/control").read_text()
        listed = " ".join(re.findall(r"^Tests: (.*)$", control, re.MULTILINE)).split()
        there = [each.name for each in (DEBIAN / "tests").iterdir() if each.name != "control"]
        self.assertEqual(sorted(listed), sorted(there))

    def test_dummy_cuebot(self) -> None:
        """Its completion has every call that it knows."""
        command = [sys.executable, "-m", "dummy_cuebot", "rqd-client", "--help"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        calls = set(re.findall(r"^    ([a-z-]+)  ", said, re.MULTILINE))
        completion = (DEBIAN / "dummy-cuebot.bash-completion").read_text()
        offered = re.search(r"local calls='([^']*)'", completion)
        assert offered is not None
        self.assertEqual(set(offered[1].split()), calls)
