"""One frame that writes a great deal, as fast as it can: speed, CPU, and is every line there?"""

from __future__ import annotations

import time
from typing import Any

from benchmarks import accounting
from benchmarks.agents import Agent
from benchmarks.calls import launch
from benchmarks.clocks import MachineClock
from benchmarks.places import SPEW
from benchmarks.session import Session, Setup, Site
from benchmarks.stamps import LINE_BYTES, check_log, first_line_of_spew, read_stamps


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Once without and once with timestamps, each in a session of its own."""
    return {
        "plain": write(agent, site, site.scale.plain_lines, timestamps=False),
        "stamped": write(agent, site, site.scale.log_lines, timestamps=True),
    }


def write(agent: Agent, site: Site, lines: int, *, timestamps: bool) -> dict[str, Any]:
    """Time one such frame from its launch to its completion's arrival.

    Bytes that come to the log after that are counted: an agent that completes first and writes
    later would look faster than it is.
    """
    with Session(agent, site, "log", Setup(timestamps=timestamps)) as session:
        time.sleep(1)
        stamp_file = session.tmp / "spew"
        frame = session.frame(f"exec {SPEW} {stamp_file} {lines} {LINE_BYTES}")
        cpu, machine = session.cpu(), MachineClock.read()
        call = launch(session, frame)
        completion = session.cuebot.wait_completion(frame.frame_id, 600)
        if completion is None:
            return {"lost": 1}
        log = session.log_of(frame)
        size = log.stat().st_size
        figures = {"cpu_s": session.cpu() - cpu, **MachineClock.read().since(machine)}
        time.sleep(1)
        stamps = read_stamps(stamp_file)
        seconds = completion["at"] - call.began
        return {
            "lost": 0,
            "seconds": seconds,
            "mb_per_s": lines * LINE_BYTES / 1e6 / seconds,
            "writer_s": stamps and stamps.last - stamps.first,
            "wrong": int(bool(completion["exit_status"] or completion["exit_signal"])),
            "bytes_after_completion": log.stat().st_size - size,
            "sample": first_line_of_spew(log),
            **figures,
            **check_log(log, lines),
            **accounting.memory(session.pids),
        }
