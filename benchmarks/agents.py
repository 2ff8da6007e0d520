"""The agents that are measured: how each is started and configured."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.places import CLASSIC_VENV, STOPWATCH, TEMPLATES

OURS = "openrqd"
CLASSIC = "classic"

TWISTD = "twistd"
"""The way of starting openrqd as twistd's plugin."""
TIMED = "timed"
"""The way of starting openrqd with a stopwatch at its reactor."""
READING_ALL = "reading all"
"""The way of starting the classic agent with the right to read files whoever it then becomes.

To run frames as other users it becomes `daemon` first, and goes on importing: where Python is
root's own, it would end there.
"""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: a command that stays in the foreground, and a template of its configuration."""

    name: str
    command: tuple[str, ...]
    template: Path
    words: Mapping[bool, str]
    """How its configuration spells true and false."""
    ways: Mapping[str, tuple[str, ...]]
    """Other commands that start it, by name."""

    def command_of(self, way: str) -> tuple[str, ...]:
        """The command of a way, the usual one if the agent doesn't have that way."""
        return self.ways.get(way, self.command)

    def fill(self, text: str, values: Mapping[str, object]) -> str:
        """Replace each `{name}` that is known; leave other braces alone."""

        def value(match: re.Match[str]) -> str:
            found = values.get(match[1], match[0])
            return self.words[found] if isinstance(found, bool) else str(found)

        return _PLACEHOLDER.sub(value, text)


def known_agents() -> dict[str, Agent]:
    """The agents by name, in the order in which tables show them."""
    programs = Path(sys.executable).parent
    configured = ("--config", "{conf}")
    ours = Agent(
        OURS,
        (str(programs / "openrqd"), *configured),
        TEMPLATES / "openrqd.yaml.in",
        {True: "true", False: "false"},
        {
            TWISTD: (str(programs / "twistd"), "-n", "--pidfile=", "openrqd", *configured),
            TIMED: (sys.executable, "-P", str(STOPWATCH), "{stretches}", *configured),
        },
    )
    rqd = (str(CLASSIC_VENV / "bin" / "rqd"), "-c", "{conf}", "--nimbyoff")
    classic = Agent(
        CLASSIC,
        rqd,
        TEMPLATES / "classic.conf.in",
        {True: "True", False: "False"},
        {READING_ALL: ("setpriv", "--securebits", "+no_setuid_fixup", *rqd)},
    )
    return {ours.name: ours, classic.name: classic}
