"""Which commands reboot and restart."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings
from rqd.host.commands import (
    STAND_INS_ONLY,
    MachineCommands,
    machine_commands,
    reboot_by,
    restart_by,
)
from rqd.host.systemd import Unit, own_unit


class CommandTests(SynchronousTestCase):
    """``machine_commands``. Nothing is run."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.program("stand-in-reboot")

    def program(self, name: str) -> str:
        path = Path(self.folder, name)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        return str(path)

    def found(
        self, reboot: tuple[str, ...] | None, restart: tuple[str, ...] | None = None, **environ: str
    ) -> MachineCommands:
        settings = MachineSettings(reboot_command=reboot, restart_command=restart)
        return machine_commands(settings, {"PATH": self.folder, **environ})

    def test_none(self) -> None:
        """Where nothing is configured and systemd is elsewhere, nothing can be done."""
        self.assertEqual(self.found(None), MachineCommands(None, None))

    def test_configured(self) -> None:
        """What is configured is taken, its program looked up once, its words left alone."""
        found = self.found(("stand-in-reboot", "now please", "$HOME"))
        program = f"{self.folder}/stand-in-reboot"
        self.assertEqual(found.reboot, (program, "now please", "$HOME"))
        self.assertEqual(self.found(None, (program,)).restart, (program,))

    def test_missing(self) -> None:
        """A program that isn't there can't do anything."""
        self.assertIsNone(self.found(("stand-in-restart",)).reboot)

    def test_stand_ins(self) -> None:
        """Where only stand-ins are allowed anything else is an error, and keeps from starting."""
        allowed = {STAND_INS_ONLY: "1"}
        self.assertIsNotNone(self.found(("stand-in-reboot",), None, **allowed).reboot)
        for real in ("systemctl", "/sbin/reboot", "/bin/true", "./stand-in-x/reboot"):
            self.assertRaises(ValueError, self.found, (real,), None, **allowed)
            self.assertRaises(ValueError, self.found, None, (real,), **allowed)

    def test_by_systemd(self) -> None:
        """The machine's own systemd does both; a user's can only restart."""
        unit = Unit("openrqd.service", by_user=False)
        self.assertEqual(reboot_by(unit), ("systemctl", "reboot"))
        self.assertEqual(
            restart_by(unit), ("systemctl", "--no-block", "restart", "openrqd.service")
        )
        unit = Unit("openrqd.service", by_user=True)
        self.assertEqual(reboot_by(unit), ())
        self.assertEqual(restart_by(unit)[:2], ("systemctl", "--user"))
        self.assertEqual((reboot_by(None), restart_by(None)), ((), ()))


class SystemdTests(SynchronousTestCase):
    """``own_unit``."""

    def unit(self, groups: str, **environ: str) -> Unit | None:
        root = self.mktemp()
        os.makedirs(f"{root}/7")
        Path(root, "7", "cgroup").write_text(groups)
        return own_unit({"INVOCATION_ID": "x", "SYSTEMD_EXEC_PID": "7"} | environ, 7, root)

    def test_unit(self) -> None:
        """The unit is what the control group says."""
        service = Unit("openrqd.service", by_user=False)
        for groups in (
            "0::/system.slice/openrqd.service\n",
            "0::/system.slice/openrqd.service/agent\n",
            "4:memory:/x.service\n1:name=systemd:/system.slice/openrqd.service\n0::/\n",
        ):
            self.assertEqual(self.unit(groups), service)

    def test_user(self) -> None:
        """A service of a user's own manager is one of that manager."""
        path = "/user.slice/user-1000.slice/user@1000.service/app.slice/openrqd.service"
        self.assertEqual(self.unit(f"0::{path}\n"), Unit("openrqd.service", by_user=True))

    def test_terminal(self) -> None:
        """An agent that a person started in a terminal has the variables of the terminal's unit."""
        self.assertIsNone(self.unit("0::/user@1000.service/t.service\n", SYSTEMD_EXEC_PID="8"))
        self.assertIsNone(self.unit("0::/a.service\n", INVOCATION_ID=""))

    def test_nothing_to_see(self) -> None:
        """Where the control groups tell of no service there is none."""
        for groups in ("", "0::/\n", "0::/user.slice/session-1.scope\n", "garbage\n"):
            self.assertIsNone(self.unit(groups))
        self.assertIsNone(
            own_unit({"INVOCATION_ID": "x", "SYSTEMD_EXEC_PID": "7"}, 7, self.mktemp())
        )
