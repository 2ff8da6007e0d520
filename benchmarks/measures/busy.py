"""How fast an agent answers and launches while one of its frames writes a lot."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.agents import Agent
from benchmarks.calls import kill_all, launch, report_status_latency
from benchmarks.figures import distribution
from benchmarks.measures.latency import Times, time_frame
from benchmarks.places import SPEW
from benchmarks.session import Session, Site
from benchmarks.stamps import LINE_BYTES

PROBES = 20


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Start a writer of 10 MB/s with timestamps, time calls and short frames, kill the writer."""
    with Session(agent, site, "busy", timestamps=True) as session:
        time.sleep(1)
        chunk = f"{SPEW} {session.tmp}/spew 100000 {LINE_BYTES}"
        writer = session.frame(f"while {chunk}; do sleep 1; done")
        launch(session, writer)
        time.sleep(1)
        status = report_status_latency(session, site.scale.calls // 2, 0.03)
        times = Times()
        for _ in range(PROBES):
            time_frame(session, times)
        if writer.frame_id in session.cuebot.completions:
            raise RuntimeError("the writing frame ended before it was killed")
        kill_all(session, [writer.frame_id])
        ended = session.cuebot.wait_completion(writer.frame_id, 60)
    return {
        "status_rpc_ms": status,
        "launch_ms": distribution(times.launch),
        "completion_ms": distribution(times.completion),
        "lost": times.lost,
        "kill_unreported": int(ended is None),
    }
