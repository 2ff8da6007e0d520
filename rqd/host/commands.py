"""Which commands reboot the machine and restart the agent here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from rqd.host.systemd import Unit, own_unit
from rqd.log import Logger

if TYPE_CHECKING:
    from rqd.config.settings import MachineSettings

#: While this is set, only programs whose names begin so are taken: no test of openrqd, however
#: wrong, can reboot the machine that it runs on.
STAND_INS_ONLY = "OPENRQD_STAND_INS_ONLY"
STAND_IN = "stand-in-"

_log = Logger()


class MachineCommands(NamedTuple):
    """Programs by their path, with arguments; None where nothing can do it."""

    reboot: tuple[str, ...] | None
    restart: tuple[str, ...] | None
    stop: tuple[str, ...] | None = None
    """For an agent that would be started again if it ended by itself."""


def machine_commands(machine: MachineSettings, environ: Mapping[str, str]) -> MachineCommands:
    """What is configured, else what systemd offers where it runs the agent.

    Looks for the programs, once, which blocks: for the start of the agent. Raises ValueError for a
    real one where only stand-ins are allowed.
    """
    unit = own_unit(environ, os.getpid())
    return MachineCommands(
        reboot=_found("machine.reboot_command", machine.reboot_command or reboot_by(unit), environ),
        restart=_found(
            "machine.restart_command", machine.restart_command or restart_by(unit), environ
        ),
        stop=_found("stop", stop_by(unit), environ),
    )


def reboot_by(unit: Unit | None) -> tuple[str, ...]:
    """A service of the machine may ask for a reboot; one of a user has no say in it."""
    return ("systemctl", "reboot") if unit is not None and not unit.by_user else ()


def restart_by(unit: Unit | None) -> tuple[str, ...]:
    return _systemctl("restart", unit)


def stop_by(unit: Unit | None) -> tuple[str, ...]:
    return _systemctl("stop", unit)


def _systemctl(verb: str, unit: Unit | None) -> tuple[str, ...]:
    """``--no-block``: who waits for it would be ended by it."""
    if unit is None:
        return ()
    manager = ("--user",) if unit.by_user else ()
    return ("systemctl", *manager, "--no-block", verb, unit.name)


def _found(
    key: str, command: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[str, ...] | None:
    if not command:
        return None
    if environ.get(STAND_INS_ONLY) and not os.path.basename(command[0]).startswith(STAND_IN):
        raise ValueError(f"{key} is {command[0]}, and {STAND_INS_ONLY} is set")
    from shutil import which  # it brings compressors; most hosts configure nothing

    program = which(command[0], path=environ.get("PATH", os.defpath))
    if program is None:
        _log.warn(
            "no such program, so it can't be done here key={key} program={program}",
            key=key,
            program=command[0],
        )
        return None
    return (os.path.abspath(program), *command[1:])
