"""How fast an agent launches while many of its frames write a lot."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.agents import Agent
from benchmarks.calls import kill_all, launch_all
from benchmarks.clocks import now
from benchmarks.figures import distribution
from benchmarks.measures.latency import time_frames
from benchmarks.places import SPEW
from benchmarks.session import Session, Setup, Site
from benchmarks.stamps import LINE_BYTES, STAMP_BYTES
from rqd.proto import rqd_pb2

KB_PER_SECOND = 10_000
LINES = 10_000_000
"""Of a loud frame: more than it comes to print."""


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Time short frames on the idle agent, start the writers, time them again, kill the writers."""
    with Session(agent, site, "loud", Setup(timestamps=True)) as session:
        time.sleep(1)
        time_frames(session, session.scale.warmup_frames)
        idle = distribution(time_frames(session, session.scale.probes).launch)
        writers = [_writer(session, number) for number in range(session.scale.loud)]
        launch_all(session, writers)
        time.sleep(2)
        began, cpu, logged = now(), session.cpu(), _bytes(session, writers)
        times = time_frames(session, session.scale.probes)
        seconds = now() - began
        mb_per_s = (_bytes(session, writers) - logged) / seconds / 1e6
        rates = {
            "logged_mb_per_s": mb_per_s,
            "logged_share": mb_per_s / stamped_mb_per_s(session.scale.loud),
            "cpu_share": (session.cpu() - cpu) / seconds,
        }
        ids = [frame.frame_id for frame in writers]
        ended = sum(i in session.cuebot.completions for i in ids)
        if ended:
            raise RuntimeError(f"{ended} of the writing frames ended before they were killed")
        kill_all(session, ids)
        session.cuebot.wait_completions(ids, 60)
    launched = distribution(times.launch)
    return {
        "idle": idle,
        "launch_ms": launched,
        "p95_by_idle": launched["p95"] / idle["p95"],
        "lost": times.lost,
        **rates,
    }


def stamped_mb_per_s(writers: int) -> float:
    """What comes into the logs of so many writers if none is held up, timestamps included."""
    return writers * KB_PER_SECOND / 1e3 * (LINE_BYTES + STAMP_BYTES) / LINE_BYTES


def _writer(session: Session, number: int) -> rqd_pb2.RunFrame:
    stamps = session.tmp / f"spew-{number}"
    return session.frame(f"exec {SPEW} {stamps} {LINES} {LINE_BYTES} {KB_PER_SECOND}")


def _bytes(session: Session, frames: list[rqd_pb2.RunFrame]) -> int:
    return sum(session.log_of(frame).stat().st_size for frame in frames)
