"""The container engine as the rest of the agent sees it. All calls block, in threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from zope.interface import Interface

#: Labels of our containers. AGENT tells whose they are: each agent removes its own only.
LABEL = "openrqd."
AGENT, PLACE = f"{LABEL}agent", f"{LABEL}place"


class EngineAway(Exception):
    """It can't be reached, or does not answer: whatever was asked for may have been done or not."""


class EngineRefused(Exception):
    """It said no; the text explains it to people."""


class Facts(NamedTuple):
    """What the engine knows of a container; ``pid`` is that of its first process, 0 for none."""

    running: bool
    pid: int
    exit_code: int
    oom_killed: bool
    error: str


class Accounts(NamedTuple):
    """The user database of an image: the text of ``/etc/passwd`` and ``/etc/group``."""

    passwd: bytes
    group: bytes


class IEngine(Interface):
    """An engine. Any thread may call; each call raises EngineAway or EngineRefused."""

    def version() -> str:
        """Who answers, for people."""

    def image_id(name: str) -> str | None:
        """The id of an image that is on this host."""

    def pull(name: str, tell: Callable[[Mapping[str, Any]], None]) -> None:
        """Fetch an image; ``tell`` gets what the engine says meanwhile, in the same thread."""

    def accounts(image: str, name: str, labels: Mapping[str, str]) -> Accounts:
        """The user database of an image; the container ``name`` that is made for it goes."""

    def create(name: str, body: Mapping[str, Any]) -> None:
        """Make a container, by the engine's own words for it (``POST /containers/create``)."""

    def start(name: str) -> None:
        """Start it."""

    def look(name: str) -> Facts | None:
        """What is known of a container, None if there is none of that name."""

    def ours(agent: str) -> list[str]:
        """The names of all containers that carry the label of this agent."""

    def remove(name: str) -> None:
        """Kill it if it runs, and remove it with its anonymous volumes; fine if there is none."""
