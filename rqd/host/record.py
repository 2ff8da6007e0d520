"""What is kept of the host's standing over a restart of the agent, as text (pure)."""

from __future__ import annotations

import json
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from rqd.system.condition import IdleAction

VERSION = 1

E = TypeVar("E", bound=Enum)


class NimbyLock(Enum):
    """Whether, and why, the host belongs to its user."""

    OPEN = "open"
    ACTIVITY = "activity"
    """Somebody uses it, or did until less than the idle threshold ago."""
    BY_DEFAULT = "default"
    """It began so (``nimby_lock_by_default``), and nobody was seen since."""


class HostRecord(NamedTuple):
    """What people asked of the host.

    ``locked_points`` are those locked by hand; with ``all_locked`` that is every one, however many
    there are next time. ``nimby_configured`` is ``nimby_mode`` at the time: a changed configuration
    wins over what was asked before. ``waiting_for`` belongs to the boot ``boot_id``.
    """

    boot_id: str = ""
    locked_points: int = 0
    all_locked: bool = False
    nimby_on: bool = False
    nimby_configured: bool = False
    nimby_lock: NimbyLock = NimbyLock.OPEN
    waiting_for: IdleAction | None = None


def encode(record: HostRecord) -> bytes:
    waiting_for = record.waiting_for
    content = {
        "version": VERSION,
        "boot_id": record.boot_id,
        "locked_points": record.locked_points,
        "all_locked": record.all_locked,
        "nimby_on": record.nimby_on,
        "nimby_configured": record.nimby_configured,
        "nimby_lock": record.nimby_lock.value,
        "waiting_for": waiting_for.value if waiting_for is not None else None,
    }
    return json.dumps(content).encode() + b"\n"


def decode(text: bytes) -> HostRecord:
    """Raises ValueError, with a sentence, for anything that ``encode`` didn't write."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise ValueError(f"it is not of version {VERSION}")
    action = content.get("waiting_for")
    return HostRecord(
        boot_id=_typed(content, "boot_id", str),
        locked_points=_points(content),
        all_locked=_typed(content, "all_locked", bool),
        nimby_on=_typed(content, "nimby_on", bool),
        nimby_configured=_typed(content, "nimby_configured", bool),
        nimby_lock=_one_of(NimbyLock, "nimby_lock", content.get("nimby_lock")),
        waiting_for=None if action is None else _one_of(IdleAction, "waiting_for", action),
    )


def _typed(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r:.40}")
    return value


def _points(content: dict[str, Any]) -> int:
    points: int = _typed(content, "locked_points", int)
    if points < 0:
        raise ValueError(f"locked_points is {points}")
    return points


def _one_of(kind: type[E], name: str, value: object) -> E:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r:.40}") from None
