"""What of the contract this branch can't do yet. Tests expect the finished contract otherwise.

When a branch is merged that builds one of these, delete its line here: no test is to change.
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

#: What isn't so yet.
NOT_YET = frozenset(
    {
        "a launch that wants GPUs where there are none is refused",
        "ShutdownRqdNow can be repeated",  # two at once leave a traceback in the agent's log
    }
)

#: Rows of docs/contract.md that say "later" here, by their first words.
ROWS_TO_COME = frozenset(
    {
        "HardwareState.DOWN",
        "RenderHost.nimby_enabled",
        "RenderHost.num_gpus",
        "RenderHost.state",
        "RunFrame.ignore_nimby",
        "RunFrame.num_gpus",
        "RunningFrameInfo.num_gpus",
        "FAILED_PRECONDITION",
        "RESOURCE_EXHAUSTED",
    }
    | {f"RqdInterface.{name}" for name in NOT_SERVED}
)
