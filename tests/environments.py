"""Virtual environments for tests that need a Python of their own.

They are kept below ``.cache/`` in the source tree (or below ``$OPENRQD_TEST_CACHE``), named by what
is installed in them, so only the first run waits for downloads.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from twisted.trial.unittest import SkipTest

SOURCE_TREE = Path(__file__).resolve().parents[1]


def lacks(reason: str) -> NoReturn:
    """Skip a test for want of a part of this machine; in CI nothing may be wanting, so fail it."""
    raise (AssertionError if os.environ.get("CI") == "true" else SkipTest)(reason)


def run(*command: str | Path, cwd: Path | None = None, **environ: str) -> str:
    """What a program printed; a program that fails fails the test with all that it said.

    It doesn't inherit ``PYTHONPATH``, by which ``trial -j`` lends its workers all it can import.
    """
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": "", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def cached_environment(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment that has ``requirements``, made at first use.

    Tests run in parallel processes, so one makes it while the others wait at a lock. Without a
    package index the test is skipped, except in CI, where that is a failure.
    """
    cache = Path(os.environ.get("OPENRQD_TEST_CACHE", SOURCE_TREE / ".cache" / "environments"))
    cache.mkdir(parents=True, exist_ok=True)
    wanted = "\n".join([sys.version, *requirements])
    folder = cache / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    complete = folder / "complete"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            run(sys.executable, "-m", "venv", folder)
            try:
                run(python, "-m", "pip", "install", "--quiet", *requirements)
            except AssertionError as problem:
                lacks(f"cannot install {requirements}: {problem}")
            complete.touch()
    return python
