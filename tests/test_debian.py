"""Debian's package says what the program says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd import __version__
from rqd.config.keys import leaves
from rqd.config.settings import Settings
from rqd.tap import Options

TREE = Path(__file__).parent.parent
DEBIAN = TREE / "debian"


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

    def test_dummy_cuebot(self) -> None:
        """Its completion has every call that it knows."""
        command = [sys.executable, "-m", "dummy_cuebot", "rqd-client", "--help"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        calls = set(re.findall(r"^    ([a-z-]+)  ", said, re.MULTILINE))
        completion = (DEBIAN / "dummy-cuebot.bash-completion").read_text()
        offered = re.search(r"local calls='([^']*)'", completion)
        assert offered is not None
        self.assertEqual(set(offered[1].split()), calls)
