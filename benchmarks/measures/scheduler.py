"""Short frames behind a scheduler that books the next one at each completion, as Cuebot does.

The scheduler is `dummy-cuebot run-job`. With 2 cores the frames' own 0.2 s allow ten of them a
second; what is missing is how long the cores waited for the agent.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.agents import Agent
from benchmarks.daemon import free_port
from benchmarks.session import Session, Setup, Site

CORES = 2
POSSIBLE = 10.0
"""Frames a second that the sleep allows."""

_SUMMARY = re.compile(r"^(\d+) frames in ([\d.]+) s: (\d+) as expected", re.M)


def take(agent: Agent, site: Site) -> dict[str, Any]:
    """Start the scheduler, then an agent that reports to it; it ends with its job."""
    agent_port, report_port = free_port(), free_port()
    setup = Setup(cores=CORES, port=agent_port, reports_to=report_port)
    with (
        job_file(site) as job,
        scheduler(job, agent_port, report_port) as process,
        Session(agent, site, "scheduler", setup),
    ):
        said, _ = process.communicate(timeout=site.scale.patience)
    return figures(said)


def figures(said: str) -> dict[str, Any]:
    """What the scheduler's last words tell: from the first booking to the last completion."""
    summary = _SUMMARY.search(said)
    if summary is None:
        raise RuntimeError(f"dummy-cuebot did not come to an end: {said[-200:].strip()}")
    frames, seconds, expected = int(summary[1]), float(summary[2]), int(summary[3])
    return {
        "frames_per_s": frames / seconds,
        "of_possible": frames / seconds / POSSIBLE,
        "wrong": frames - expected,
    }


@contextmanager
def job_file(site: Site) -> Iterator[Path]:
    """The job, in a folder of its own that also takes its logs."""
    layer = {"name": "sleep", "range": f"1-{site.scale.scheduled}", "command": "sleep 0.2"}
    with tempfile.TemporaryDirectory(prefix="openrqd-bench-") as folder:
        Path(folder).chmod(0o1777)
        job = {
            "job": "bench",
            "user": site.user.name,
            "uid": site.user.uid,
            "log_root": folder,
            "layers": [layer],
        }
        path = Path(folder) / "job.yaml"
        path.write_text(json.dumps(job))
        yield path


@contextmanager
def scheduler(job: Path, agent_port: int, report_port: int) -> Iterator[subprocess.Popen[str]]:
    """A running `dummy-cuebot run-job`, ended in any case."""
    arguments = ["--host", f"127.0.0.1:{agent_port}", "-p", str(report_port)]
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "dummy-cuebot"), "run-job", str(job), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
