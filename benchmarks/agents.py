"""The agents that are measured: how each is started and configured."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import CLASSIC_VENV, TEMPLATES

OURS = "openrqd"
CLASSIC = "classic"

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: a command that stays in the foreground, and a template of its configuration."""

    name: str
    command: tuple[str, ...]
    template: Path
    words: Mapping[bool, str]
    """How its configuration spells true and false."""

    def fill(self, text: str, values: Mapping[str, object]) -> str:
        """Replace each `{name}` that is known; leave other braces alone."""

        def value(match: re.Match[str]) -> str:
            found = values.get(match[1], match[0])
            return self.words[found] if isinstance(found, bool) else str(found)

        return _PLACEHOLDER.sub(value, text)


def known_agents() -> dict[str, Agent]:
    """The agents by name, in the order in which tables show them."""
    ours = Agent(
        OURS,
        (str(Path(sys.executable).parent / "openrqd"), "--config", "{conf}"),
        TEMPLATES / "openrqd.yaml.in",
        {True: "true", False: "false"},
    )
    classic = Agent(
        CLASSIC,
        (str(CLASSIC_VENV / "bin" / "rqd"), "-c", "{conf}", "--nimbyoff"),
        TEMPLATES / "classic.conf.in",
        {True: "True", False: "False"},
    )
    return {ours.name: ours, classic.name: classic}
