"""A wall clock that tests set, for a process of its own: see ``tests/csrc/wallclock.c``.

Debian's libfaketime won't do: sleeps of the monotonic clock, which is to be left alone, fail with
it, and the waits that gRPC plans by the wall clock don't notice a jump.
"""

from __future__ import annotations

import os
import shutil
import struct
from typing import TYPE_CHECKING

from tests.environments import SOURCE_TREE, lacks

if TYPE_CHECKING:
    from tests.integration.agent import Agent

DAY = 86400
_SOURCE = SOURCE_TREE / "tests" / "csrc" / "wallclock.c"
#: Shell commands (see ``AgentProcess.start``) after which the agent has a wall clock of its own.
OWN_CLOCK = (
    f'gcc -shared -fPIC -O1 -Wall -Wextra -Werror -o "$folder/wallclock.so" "{_SOURCE}"\n'
    'head -c 8 /dev/zero >"$folder/ahead"\n'
    'export LD_PRELOAD="$folder/wallclock.so" WALLCLOCK="$folder/ahead"'
)


def needed() -> None:
    """Skip a test where the clock can't be built."""
    if shutil.which("gcc") is None:
        lacks("needs gcc, to build a wall clock that can be set")


def jump(agent: Agent, ahead: int) -> None:
    """Set the agent's clock so many seconds ahead of the real one; negative for behind."""
    opened = os.open(f"{agent.folder}/ahead", os.O_WRONLY)
    try:
        os.pwrite(opened, struct.pack("=q", ahead), 0)
    finally:
        os.close(opened)
