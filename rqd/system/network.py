"""The name under which the host is known to Cuebot."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rqd.config.settings import MachineSettings


class HostNames(Protocol):
    """What the operating system says of the host's names and addresses."""

    def host_name(self) -> str:
        """The configured name, short or full. Never blocks."""

    def full_name(self) -> str:
        """The name that the resolver gives. Can block for as long as DNS does."""

    def address(self) -> str | None:
        """The address that leads out of the host, if one does. Never blocks."""


class SystemNames:
    """The real ones."""

    def host_name(self) -> str:
        return socket.gethostname()

    def full_name(self) -> str:
        return socket.getfqdn()

    def address(self) -> str | None:
        """The source of a route to an address reserved for documentation; nothing is sent."""
        for family, outside in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
            try:
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.connect((outside, 9))
                    return str(probe.getsockname()[0])
            except OSError:
                continue
        return None


def report_name(machine: MachineSettings, names: HostNames) -> str:
    """The override, else the address, the full or the short name, as the settings ask.

    A host that has no address to the outside falls back to its name. Asks the resolver only
    for ``use_fqdn``: call this once at start, in a thread, never on the reactor's.
    """
    if machine.override_real_values.hostname:
        return machine.override_real_values.hostname
    if machine.use_ip_as_hostname:
        return names.address() or _short(names.host_name())
    if machine.use_fqdn:
        return _full(names)
    return _short(names.host_name())


def _full(names: HostNames) -> str:
    """What the resolver says, unless that is no name by which another host could call."""
    name = names.full_name()
    usable = "." in name and not name.startswith("localhost")
    return name if usable else names.host_name()


def _short(name: str) -> str:
    return name.partition(".")[0]
