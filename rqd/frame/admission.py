"""Whether the host, as it stands, takes a frame (pure)."""

from __future__ import annotations

from rqd.frame.spec import FrameSpec
from rqd.refusals import Unavailable, WrongState
from rqd.system.condition import UP, HostCondition


def refuse_by(condition: HostCondition, spec: FrameSpec) -> None:
    """Raise WrongState, or Unavailable where the agent ends, if the host takes no such frame now.

    Locked cores are the ledger's business, not looked at here.
    """
    if condition.stopping:
        raise Unavailable(condition.stopping)
    if condition.state != UP:
        raise WrongState(f"the host takes no frames: its hardware state is {condition.state}")
    if condition.waiting_for is not None:
        raise WrongState(f"the host takes no frames: {condition.waiting_for.value} once it is idle")
    if condition.nimby_locked and not spec.ignore_nimby:
        raise WrongState("the host takes no frames: its user is active, or was (NIMBY lock)")
