"""Whom the kernel kills first when memory runs out: frames, and the agent late.

The kernel kills the process with the highest score: its share of the memory in thousandths, plus
this adjustment.
"""

from __future__ import annotations

from rqd.log import Logger

AGENT = -800
"""Only an agent that uses more than four fifths of the host is worth killing."""
FRAME = 500
"""Before everything else on the host, and the largest frame first. The chain sets it."""

log = Logger()


def protect_agent(proc_root: str = "/proc") -> None:
    """Lower the score of this process, where it may; it takes root. Children inherit that."""
    path = f"{proc_root}/self/oom_score_adj"
    try:
        with open(path, "r+b", buffering=0) as adjustment:
            if int(adjustment.read(16) or 0) > AGENT:
                adjustment.write(b"%d\n" % AGENT)
    except (OSError, ValueError) as problem:
        log.info("agent is not protected from the kernel's OOM killer reason={why}", why=problem)
