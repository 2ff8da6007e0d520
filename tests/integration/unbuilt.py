"""What of the contract this branch can't do yet. Tests expect the finished contract otherwise.

When a branch is merged that builds one of these, delete its line: nothing else is to change.
"""

from __future__ import annotations

#: Methods that answer UNAVAILABLE, whatever they are asked.
NOT_SERVED = frozenset(
    {
        "NimbyOff",
        "NimbyOn",
        "RebootIdle",
        "RebootNow",
        "RestartRqdIdle",
        "RestartRqdNow",
        "ShutdownRqdIdle",
    }
)

#: Whether a launch that wants GPUs where there are none is taken all the same.
GPUS_NOT_COUNTED = True
