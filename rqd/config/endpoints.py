"""Network addresses in settings: Cuebots to call, and where to listen."""

from __future__ import annotations

import re
from typing import Final

from voluptuous import Invalid

#: Cuebot's port for what agents report, where an endpoint names none.
CUEBOT_PORT: Final = 8443

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?", re.ASCII)
_ENDPOINT: Final = re.compile(r"(\[[^][]*\]|[^][:]*)(?::([0-9]{1,5}))?", re.ASCII)


def endpoint(value: object) -> str:
    """C{host}, C{host:port}, C{[ipv6]} or C{[ipv6]:port}; returned with its port always."""
    if not isinstance(value, str):
        raise Invalid("expected host:port")
    if "://" in value:
        raise Invalid("expected host:port without a scheme")
    match = _ENDPOINT.fullmatch(value.strip())
    if match is None:
        hint = ", IPv6 in brackets" if _is_ipv6(value.strip()) else ""
        raise Invalid(f"expected host:port{hint}")
    where, port = match[1], int(match[2] or CUEBOT_PORT)
    if not (_HOST.fullmatch(where) or _is_ipv6(where[1:-1])):
        raise Invalid("expected host:port")
    if not 1 <= port <= 65535:
        raise Invalid("expected a port from 1 to 65535")
    return f"{where}:{port}"


def endpoints(found: tuple[str, ...]) -> tuple[str, ...]:
    """At least one; one that is named twice counts once."""
    if not found:
        raise Invalid("expected at least one host:port")
    return tuple(dict.fromkeys(found))


def interface(value: object) -> str:
    """The address to listen on: a host name or address, or C{all} (also written as nothing)."""
    where = value.strip() if isinstance(value, str) else None
    if where in ("", "*", "all"):
        return "all"
    if where and (_HOST.fullmatch(where) or _is_ipv6(where.strip("[]"))):
        return where.strip("[]")
    raise Invalid("expected all, a host name or an address")


def host(value: object) -> str:
    """A host name or address without a port."""
    where = value.strip() if isinstance(value, str) else ""
    if _HOST.fullmatch(where) or _is_ipv6(where):
        return where
    raise Invalid("expected a host name or an address, without a port")


def _is_ipv6(text: str) -> bool:
    if ":" not in text:
        return False
    from ipaddress import IPv6Address

    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True
