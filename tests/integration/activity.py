"""The user of a workstation, as the agent's activity file tells of them."""

from __future__ import annotations

import os

from tests.integration.agent import Agent

#: Configuration of the section ``machine``.
ACTIVITY_FILE = {"nimby_activity_file": "{folder}/activity"}


def tell(agent: Agent, word: str) -> None:
    """``active`` or ``idle``; the file is never seen half-written."""
    path = f"{agent.folder}/activity"
    with open(f"{path}.new", "w", encoding="ascii") as file:
        file.write(f"{word}\n")
    os.rename(f"{path}.new", path)
