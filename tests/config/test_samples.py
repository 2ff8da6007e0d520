"""The sample files and the manual, against the settings themselves."""

from __future__ import annotations

import os
import re

import yaml
from twisted.trial.unittest import SynchronousTestCase

from rqd.config import Settings, load
from rqd.config.keys import leaves
from tests.config.texts import loaded

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_ETC = os.path.join(_ROOT, "etc")


class SampleTests(SynchronousTestCase):
    """C{etc/}."""

    def test_rqd_yaml_is_the_defaults(self) -> None:
        """The annotated sample loads to exactly the defaults, with nothing to warn of."""
        environ = {"HOME": "/home/artist", "TMPDIR": "/scratch"}
        nowhere = os.path.join(self.mktemp(), "rqd.yaml")
        found = load(os.path.join(_ETC, "rqd.yaml"), environ)
        self.assertEqual(found.settings, load(None, environ, system_file=nowhere).settings)
        self.assertEqual(found.warnings, ())

    def test_rqd_yaml_is_complete(self) -> None:
        """The annotated sample holds every key, in the right place."""
        with open(os.path.join(_ETC, "rqd.yaml"), encoding="utf-8") as stream:
            tree = yaml.safe_load(stream)
        for path, _ in leaves(Settings):
            section = tree
            for part in path:
                self.assertIn(part, section, path)
                section = section[part]

    def test_rqd_yaml_examples(self) -> None:
        """The commented examples of the annotated sample are right once they are taken in."""
        with open(os.path.join(_ETC, "rqd.yaml"), encoding="utf-8") as stream:
            text = _with_examples(stream.read())
        runner = loaded(self, text).settings.runner
        self.assertEqual(list(runner.docker_images), ["rocky9"])
        self.assertEqual(runner.docker_mounts[0].bind_propagation, "rslave")
        self.assertEqual(runner.log_exit_status_rules[0].exit_status, 330)

    def test_fake_linux(self) -> None:
        """The fake host loads without a warning, and its files are there from any folder."""
        found = load(os.path.join(_ETC, "rqd.fake_linux.yaml"), {"HOME": "/"})
        self.assertEqual(found.warnings, ())
        machine = found.settings.machine
        for path in (
            machine.cpuinfo_path,
            machine.distro_release_path,
            machine.proc_stat_path,
            machine.proc_loadavg_path,
        ):
            self.assertTrue(os.path.isabs(path) and os.path.isfile(path), path)
        self.assertEqual(found.settings.grpc.cuebot_endpoints, ("localhost:4343",))

    def test_fake_cpuinfo(self) -> None:
        """The fake host has 2 processors, 64 cores and 128 threads."""
        with open(os.path.join(_ETC, "fake_linux", "cpuinfo"), encoding="utf-8") as stream:
            blocks = [block.splitlines() for block in stream.read().strip().split("\n\n")]
        threads = [{k.strip(): v.strip() for k, _, v in map(_split, block)} for block in blocks]
        cores = {(each["physical id"], each["core id"]) for each in threads}
        self.assertEqual(
            (len({socket for socket, _ in cores}), len(cores), len(threads)), (2, 64, 128)
        )


class ManualTests(SynchronousTestCase):
    """C{docs/configuration.md}."""

    def test_every_key(self) -> None:
        """The manual has a row for every key, with its default."""
        with open(os.path.join(_ROOT, "docs", "configuration.md"), encoding="utf-8") as stream:
            rows = [[cell.strip(" `") for cell in line.split("|")] for line in stream]
        written = {row[1]: row[2] for row in rows if len(row) > 3}
        defaults = Settings()
        for path, each in leaves(Settings):
            default: object = defaults
            for part in path:
                default = getattr(default, part)
            cell = written[".".join(path)]
            if default is None:
                self.assertEqual(cell, "not set", path)
            elif each.is_path:
                self.assertEqual(cell, each.path_default)
            else:
                self.assertEqual(each.accept(yaml.safe_load(cell)), default, path)


def _split(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _with_examples(text: str) -> str:
    """A sample with its commented examples in place of the empty values above them."""
    for name in ("docker_images: {}", "docker_mounts: []", "log_exit_status_rules: []"):
        before, _, after = text.partition(name)
        example, gap, rest = after.partition("\n  log_exit" if "rules" in name else "\n\n")
        text = before + name[:-3] + re.sub("(?m)^    # ", "    ", example) + gap + rest
    return text
