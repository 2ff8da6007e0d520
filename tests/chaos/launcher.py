"""``openrqd`` as it is installed, with one SIGKILL built in: ``python -m tests.chaos.launcher``.

``OPENRQD_CHAOS_AIM`` says at which step the agent kills itself ("step:moment:call"),
``OPENRQD_CHAOS_HITS`` in which file it says so before. Nothing of this is in the agent.
"""

from __future__ import annotations

import importlib
import itertools
import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from tests.chaos.steps import AFTER, BEFORE, STEPS, Aim


def place(where: str) -> tuple[Any, str]:
    """The module or class that holds a function, and its name there; imports what it must."""
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    return owner, name


def arm(aim: Aim, die: Callable[[], object]) -> None:
    """Have ``die`` called at that step."""
    step = STEPS[aim.step]
    owner, name = place(step.place)
    calls = itertools.count(1)
    original = getattr(owner, name)

    @wraps(original)
    def deadly(*args: Any, **named: Any) -> Any:
        if next(calls) != aim.call:
            return original(*args, **named)
        if aim.moment == AFTER:
            result = original(*args, **named)
            die()
            return result
        if aim.moment != BEFORE:
            assert step.half is not None
            step.half(*args, **named)
        die()
        return original(*args, **named)

    setattr(owner, name, deadly)


def kill_myself(aim: Aim, hits: str) -> None:
    """Say where, then end: at this very instruction, whichever thread runs it."""
    noted = os.open(hits, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(noted, f"{aim}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def main() -> None:
    """Import what the step needs, then be the agent."""
    from rqd.command import main as agent
    from rqd.grpc_import import load_grpc

    load_grpc()
    aim = Aim.parse(os.environ.pop("OPENRQD_CHAOS_AIM"))
    hits = os.environ.pop("OPENRQD_CHAOS_HITS")
    arm(aim, lambda: kill_myself(aim, hits))
    agent()


if __name__ == "__main__":
    main()
