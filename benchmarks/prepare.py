"""What a run needs beforehand: small C programs, the classic agent, byte code.

Quick the second time: what is there and newer than its source is left alone.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from benchmarks.agents import CLASSIC, OURS, Agent
from benchmarks.places import CLASSIC_VENV, PROGRAMS, SOURCES, SPEW, STAMP


class PrepareError(Exception):
    """Something is missing on this machine; the sentence says what to do."""


def prepare(agents: Iterable[Agent]) -> None:
    """Make ready what measuring these agents takes."""
    compile_programs()
    for agent in agents:
        if agent.name == CLASSIC:
            install_classic()
        if agent.name == OURS:
            byte_compile_ours()
        if not Path(agent.command[0]).exists():
            raise PrepareError(f"{agent.command[0]} is missing: install {agent.name} first")


def compile_programs() -> None:
    """Build stamp and spew, statically where libc allows it: they shall start at once."""
    newest = max(source.stat().st_mtime for source in SOURCES.iterdir())
    for program in (STAMP, SPEW):
        if not program.exists() or program.stat().st_mtime < newest:
            _compile(SOURCES / f"{program.name}.c", program)


def _compile(source: Path, program: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise PrepareError("the bench needs a C compiler: apt-get install gcc libc6-dev")
    print(f"compiling {source.name}", flush=True)
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    command = [compiler, "-O2", "-o", str(program), str(source)]
    if _says([*command[:2], "-static", *command[2:]]) is None:
        return
    problem = _says(command)
    if problem is not None:
        raise PrepareError(f"{compiler} cannot compile {source.name}:\n{problem}")


def _says(command: list[str]) -> str | None:
    """Run a command; None if it succeeded, else what it said."""
    ended = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return None if ended.returncode == 0 else ended.stdout


def install_classic() -> None:
    """Install the classic agent from PyPI into a virtual environment of its own."""
    if (CLASSIC_VENV / "bin" / "rqd").exists():
        return
    print("installing the classic agent (opencue-rqd from PyPI)", flush=True)
    venv.create(CLASSIC_VENV, clear=True, with_pip=True)
    pip = [str(CLASSIC_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    problem = _says([*pip, "--disable-pip-version-check", "opencue-rqd"])
    if problem is not None:
        raise PrepareError(f"pip cannot install opencue-rqd:\n{problem}")


def byte_compile_ours() -> None:
    """Give openrqd the byte code that pip gives the classic agent."""
    for package in ("rqd",):
        found = importlib.util.find_spec(package)
        if found is not None and found.submodule_search_locations:
            folders = list(found.submodule_search_locations)
            subprocess.run([sys.executable, "-m", "compileall", "-q", *folders], check=False)


def version_of(distribution: str, python: Path) -> str:
    """A distribution's version in some environment, "?" if it isn't there."""
    code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
    ended = subprocess.run([str(python), "-c", code], check=False, capture_output=True, text=True)
    return ended.stdout.strip() or "?"
