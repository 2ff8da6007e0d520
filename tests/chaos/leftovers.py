"""What must be gone once all frames have ended: files, processes, groups, cores, pins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.agents import Agents
from tests.integration import remains


def left(folder: Path, agents: Agents) -> list[str]:
    """What is there and should not be; the pool of empty files and waiting berths are fine."""
    return [
        *_files(folder),
        *_processes(folder, agents.pid),
        *(f"control group {name}" for name in remains.groups(str(folder / "state"))),
        *_cores(agents),
    ]


def torn(folder: Path) -> set[str]:
    """Records that a kill tore in their first line: no answer was given, they are set aside."""
    aside = (folder / "state" / "frames").glob("*.record.bad")
    return {path.name for path in aside if b"\n" not in path.read_bytes()}


def _files(folder: Path) -> Iterator[str]:
    fine = {name.removesuffix(".record.bad") for name in torn(folder)}
    for path in (folder / "state" / "frames").iterdir():
        if path.name.removesuffix(".bad").rpartition(".")[0] not in fine:
            yield f"state/frames/{path.name}"
    for name in os.listdir(folder / "temp"):
        yield f"temp/{name}"
    for chain in (folder / "state" / "berths").iterdir():
        if not _waits(chain):
            yield f"state/berths/{chain.name}"


def _waits(chain: Path) -> bool:
    """Whether it is the chain file of a supervisor that lives and waits for a frame."""
    try:
        words = chain.read_text().split()
    except FileNotFoundError:
        return True
    return len(words) == 0 or (len(words) >= 2 and remains.living(int(words[1])))


def _processes(folder: Path, agent: int) -> Iterator[str]:
    """Frames have their log's path in their environment, supervisors nothing of the folder."""
    for pid in remains.processes(str(folder)):
        if pid != agent and not _is_ours(pid):
            yield f"process {pid} {_command(pid)}"
    for pid in remains.frames(agent):
        yield f"child {pid} of the agent: {_command(pid)}"


def _is_ours(pid: int) -> bool:
    """The program of the file system that fails on demand."""
    return "faultfs.py" in _command(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _cores(agents: Agents) -> Iterator[str]:
    counts = agents.idle()
    if counts is None:
        yield "the agent does not answer"
    elif counts[0] != counts[1]:
        yield f"cores: {counts[0]} of {counts[1]} idle"
