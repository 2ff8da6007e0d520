"""The name under which the host is known to Cuebot."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from rqd.config.settings import MachineSettings


class HostNames(Protocol):
    """What the operating system says of the host's names and addresses."""

    def host_name(self) -> str:
        """The configured name, short or full. Never blocks."""

    def full_name(self) -> str:
        """The name that the resolver gives. Can block for as long as DNS does."""

    def ipv4(self) -> str | None:
        """The address that leads out of the host, if one does. Never blocks."""

    def ipv6(self) -> str | None:
        """The same of version 6. Never blocks."""


class SystemNames:
    """The real ones.

    ``listening_on`` is the interface setting: an address there is the only one to call, on a host
    that may have several.
    """

    def __init__(self, *, listening_on: str = "all") -> None:
        self._listening_on = _parsed(listening_on)

    def host_name(self) -> str:
        return socket.gethostname()

    def full_name(self) -> str:
        return socket.getfqdn()

    def ipv4(self) -> str | None:
        return self._address(4, socket.AF_INET, "192.0.2.1")

    def ipv6(self) -> str | None:
        return self._address(6, socket.AF_INET6, "2001:db8::1")

    def _address(self, version: int, family: socket.AddressFamily, outside: str) -> str | None:
        found = self._listening_on
        if found is None or found.is_unspecified:
            found = _parsed(_source(family, outside))
        if found is None or found.version != version or found.is_loopback or found.is_link_local:
            return None
        return str(found)


#: From Linux's ``in6.h``: not the address that a workstation changes every day for privacy.
_IPV6_ADDR_PREFERENCES, _PREFER_SRC_PUBLIC = 72, 2


def _source(family: socket.AddressFamily, outside: str) -> str:
    """Where a packet to an address reserved for documentation would come from, if it could go.

    None is sent.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, _IPV6_ADDR_PREFERENCES, _PREFER_SRC_PUBLIC)
            probe.connect((outside, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(text)
    except ValueError:
        return None


def report_name(machine: MachineSettings, names: HostNames) -> str:
    """The override, else the address, the full or the short name, as the settings ask.

    A host that has no address to the outside falls back to its name; to report its other
    address in place of one of version 6 would not be what was asked for. Addresses are
    without brackets, as Cuebot wants them. Asks the resolver only for ``use_fqdn``: call
    this once at start, in a thread, never on the reactor's.
    """
    short = _short(names.host_name())
    if machine.override_real_values.hostname:
        return machine.override_real_values.hostname
    if machine.use_ipv6_as_hostname:
        return names.ipv6() or short
    if machine.use_ip_as_hostname:
        return names.ipv4() or names.ipv6() or short
    if machine.use_fqdn:
        return _full(names)
    return short


def _full(names: HostNames) -> str:
    """What the resolver says, unless that is no name by which another host could call."""
    name = names.full_name()
    usable = "." in name and not name.startswith("localhost")
    return name if usable else names.host_name()


def _short(name: str) -> str:
    return name.partition(".")[0]
