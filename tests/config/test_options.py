"""The command line: what it prints, and what it loads."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from rqd import __version__
from rqd.config import Settings, load
from rqd.tap import Options
from tests.config.test_loading import TEN_MISTAKES
from tests.config.texts import write
from tests.systemd.sockets import Listener


class OptionsTests(SynchronousTestCase):
    """L{Options}."""

    def run_options(self, *arguments: str, **variables: str) -> tuple[int | None, str, str]:
        """Parse a command line; returns exit status (L{None}: goes on), stdout and stderr."""
        self.options = Options(environ={"HOME": "/home/artist", **variables})
        out, err = io.StringIO(), io.StringIO()
        status = None
        with redirect_stdout(out), redirect_stderr(err):
            try:
                self.options.parseOptions(arguments)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
        return status, out.getvalue(), err.getvalue()

    def test_loads(self) -> None:
        """Without anything to print, the configuration is there after parsing."""
        path = write(self, "grpc: {rqd_port: 1, rqd_prot: 2}")
        self.assertEqual(self.run_options("--config", path), (None, "", ""))
        self.assertEqual(self.options.loaded.settings.grpc.rqd_port, 1)
        self.assertEqual(self.options.loaded.path, path)
        self.assertEqual(len(self.options.loaded.warnings), 1)

    def test_service_of_systemd(self) -> None:
        """Where systemd listens it hears the first problem, and how many more there are."""
        path = write(self, TEN_MISTAKES)
        with Listener() as systemd:
            self.run_options("--config", path, NOTIFY_SOCKET=systemd.address)
            (said,) = systemd.heard()
        self.assertRegex(said, rb"\ASTATUS=configuration: [a-z.]+_?.*and 9 more, see the journal")

    def test_ten_mistakes(self) -> None:
        """A configuration with ten mistakes ends with ten lines and status 78."""
        path = write(self, TEN_MISTAKES)
        for arguments in (
            ["--config", path],
            ["--config", path, "--validate-config"],
            ["--config", path, "--print-config"],
        ):
            status, out, err = self.run_options(*arguments)
            self.assertEqual((status, out), (78, ""))
            self.assertEqual(len(err.splitlines()), 10)
            for line in err.splitlines():
                self.assertTrue(line.startswith("error: "), line)

    def test_missing_file(self) -> None:
        """A file that is not there ends with one line and status 78."""
        self.assertEqual(
            self.run_options("--config", "/nowhere/rqd.yaml"),
            (78, "", "error: /nowhere/rqd.yaml: cannot be read: No such file or directory\n"),
        )

    def test_validate(self) -> None:
        """A configuration that can be used is called so; what is odd is told, too."""
        path = write(self, "grpc: {rqd_prot: 1}")
        status, out, err = self.run_options("--validate-config", "-c", path)
        self.assertEqual((status, out), (0, f"{path}: valid\n"))
        self.assertEqual(
            err,
            "warning: grpc.rqd_prot: unknown key, ignored; "
            "the nearest known one is grpc.rqd_port\n",
        )

    def test_validate_tells_everything(self) -> None:
        """Validation tells what is odd beside what is wrong."""
        path = write(self, "grpc: {rqd_prot: 1, rqd_port: 0}")
        status, _, err = self.run_options("--validate-config", "-c", path)
        self.assertEqual(status, 78)
        self.assertEqual([line.split(":")[0] for line in err.splitlines()], ["warning", "error"])

    def test_print(self) -> None:
        """The print is a configuration file for the same settings."""
        path = write(self, "grpc: {rqd_port: 1}")
        status, out, err = self.run_options("--print-config", "-c", path)
        self.assertEqual((status, err), (0, ""))
        self.assertIn(f"  rqd_port: 1  # {path}\n", out)
        again = load(write(self, out), {"HOME": "/"})
        self.assertEqual(again.settings, self.options.loaded.settings)

    def test_debug(self) -> None:
        """The level of the command line wins, and is printed as such."""
        path = write(self, "logging: {level: error}")
        self.run_options("--debug", "-c", path)
        self.assertEqual(self.options.loaded.settings.logging.level, "debug")
        _, out, _ = self.run_options("--debug", "--print-config", "-c", path)
        self.assertIn("  level: debug  # --debug\n", out)

    def test_version(self) -> None:
        """The version is ours, not Twisted's, whatever the configuration is like."""
        self.assertEqual(
            self.run_options("--version", "--config", "/nowhere"),
            (0, f"openrqd {__version__}\n", ""),
        )

    def test_help(self) -> None:
        """The help has every option and says where the configuration is looked for."""
        status, out, _ = self.run_options("--help")
        self.assertEqual(status, 0)
        for part in (
            *("--config", "--validate-config", "--print-config", "--debug", "--version"),
            *("OPENCUE_RQD_CONFIG", "/etc/openrqd/rqd.yaml", "OPENRQD__GRPC__RQD_PORT", "78"),
        ):
            self.assertIn(part, out)

    def test_bad_options(self) -> None:
        """Unknown options and stray words are the caller's mistake."""
        for arguments in (["--nope"], ["word"], ["--config"]):
            self.assertRaises(usage.UsageError, Options(environ={}).parseOptions, arguments)

    def test_defaults(self) -> None:
        """An empty file gives the defaults."""
        self.run_options("-c", write(self, ""), TMPDIR=Settings().runner.temp_path)
        self.assertEqual(self.options.loaded.settings.machine, Settings().machine)
