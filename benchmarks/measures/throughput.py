"""How many frames an agent gets through: N times /bin/true from many clients at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import Launch, launch_all
from benchmarks.clocks import MachineClock, children_cpu_seconds, milliseconds
from benchmarks.figures import distribution
from benchmarks.scale import CLIENTS
from benchmarks.session import Session, Site

SLOW_ANSWER = 0.8
"""Seconds; 128 completions, 16 at a time, then take longer than status reports are apart."""


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Launch all, with all as usual."""
    with Session(agent, site, "throughput") as session:
        return burst(session, site.scale.throughput)


def burst(session: Session, number: int) -> dict[str, Any]:
    """Launch all, wait for every completion, and count what came."""
    with peak_threads(session) as peak:
        time.sleep(1)
        machine = MachineClock.read()
        cpu, children = session.cpu(), children_cpu_seconds(session.pids[0])
        launches = run_true(session, number)
        figures = outcome(session, launches) | {
            "cpu_s": session.cpu() - cpu,
            "children_cpu_s": children_cpu_seconds(session.pids[0]) - children,
            "rpc_ms": distribution(milliseconds(x.began, x.ended) for x in launches),
            **MachineClock.read().since(machine),
        }
        time.sleep(1)
        figures["repeated"] = repeated(session, launches)
        figures |= accounting.memory(session.pids)
    return {**figures, "peak_threads": peak[0]}


def run_true(session: Session, number: int) -> list[Launch]:
    """Run /bin/true that often; returns when each accepted frame has completed, or after long."""
    launches = launch_all(session, [session.frame("/bin/true") for _ in range(number)])
    accepted = [x.frame_id for x in launches if x.outcome == "OK"]
    session.cuebot.wait_completions(accepted, session.scale.patience)
    return launches


def fill_pools(session: Session) -> None:
    """Bring an agent's pools of threads to their bounds: what then still grows, grows with frames.

    Pools start a thread when all they have are busy, so a pool that is seldom busy reaches its
    bound late, and by chance. Frames that end at once, while cuebot takes its time over each
    completion and a status report falls due, need all of them at once.
    """
    with session.cuebot.slow(SLOW_ANSWER):
        run_true(session, 8 * CLIENTS)
        time.sleep(2 * SLOW_ANSWER)


def outcome(session: Session, launches: list[Launch]) -> dict[str, Any]:
    """Speed and rightness: a frame is right with exit status 0 and no signal."""
    completions = session.cuebot.completions
    done = [completions[x.frame_id][0] for x in launches if x.frame_id in completions]
    accepted = sum(x.outcome == "OK" for x in launches)
    last = max((report["at"] for report in done), default=float("nan"))
    seconds = last - min(x.began for x in launches)
    return {
        "frames": len(launches),
        "refused": len(launches) - accepted,
        "refusals": sorted({x.outcome for x in launches if x.outcome != "OK"})[:3],
        "lost": accepted - len(done),
        "wrong": sum(bool(x["exit_status"] or x["exit_signal"]) for x in done),
        "seconds": seconds,
        "frames_per_s": len(done) / seconds,
    }


def repeated(session: Session, launches: list[Launch]) -> int:
    """Completions beyond the first one of each frame; ask some time after the last."""
    completions = session.cuebot.completions
    return sum(max(0, len(completions.get(x.frame_id, [])) - 1) for x in launches)


@contextmanager
def peak_threads(session: Session) -> Iterator[list[int]]:
    """Sample the agent's threads every 50 ms; the one item of the list is the most there were."""
    peak, stop = [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], sum(map(accounting.thread_count, session.pids)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stop.set()
        watcher.join()
