"""What a run says about where it was made: the machine in words, and the versions."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.agents import OURS, Agent
from benchmarks.places import CLASSIC_VENV
from benchmarks.prepare import version_of


def about(agents: Sequence[Agent], measures: Sequence[str]) -> dict[str, Any]:
    """The facts; no names of machines or people."""
    kernel = re.match(r"\d+\.\d+", platform.release())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "day": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30),
        "kernel": kernel[0] if kernel else "?",
        "python": platform.python_version(),
        "measures": list(measures),
        "agents": {agent.name: versions(agent) for agent in agents},
    }


def versions(agent: Agent) -> str:
    """An agent's version and those of the libraries that its speed hangs on."""
    if agent.name == OURS:
        python = Path(sys.executable)
        names = ["openrqd", "twisted", "grpcio", "protobuf"]
    else:
        python = CLASSIC_VENV / "bin" / "python"
        names = ["opencue-rqd", "grpcio", "protobuf"]
    return ", ".join(f"{name} {version_of(name, python)}" for name in names)
