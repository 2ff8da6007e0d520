"""docs/benchmarks.md: the newest figures, and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarks.results import Run
from benchmarks.rows import TITLES
from benchmarks.stamps import LINE_BYTES
from benchmarks.summary import Line, failures, summarise
from benchmarks.table import figure, table

_HEAD = """\
# Benchmarks

openrqd and the classic agent (PyPI's `opencue-rqd`), measured side by side in one run by `make
bench`, which wrote this page. A figure is the median of the rounds, with the least and the most of
them in brackets; a ratio is openrqd's median by the classic agent's. Compare ratios: single times
belong to the machine and the day.

![How many times better than the classic agent](benchmarks.svg)"""

_METHOD = """\
## How it is measured

- Each measure is taken in rounds. In a round every agent has its turn, freshly started with a fresh
  cuebot, in an order that changes from round to round, so that what the machine does meanwhile
  meets all alike. The floor is taken in the same rounds.
- The cuebot notes when a report arrives before it does anything with it. Frames stamp their own
  first and last instruction. All clocks are one machine's monotonic clock.
- **launch → command runs**: from before the LaunchFrame call to the command's first instruction.
  **exit → completion received**: from the command's last instruction to the report's arrival.
- **CPU of the agent** is the process's own CPU clock, ended threads included. All that it started
  (frames, the programs around them, supervisors that wait for frames) has a row of its own.
- **exec → serving**: until a ReportStatus call is answered. One uncounted start comes before.
- **MB/s of a log**: from the launch to the completion's arrival, so a slow completion counts; the
  log is then checked line by line.
- **Threads**: first a burst of frames, with a cuebot that is slow to answer, fills the pools; then
  threads are counted with no frame, with more and more of them running.
- **Nothing lost, nothing left**: counted before and after, once the pools are filled; what is still
  grown after 15 s is left.
- **floor**: what the driver and the machine take with no agent in between. For a launch, `/bin/sh`
  that executes the command; for a completion, `wait` that returns; for a call, a gRPC server in
  Python that does nothing.
- Configuration: both at their defaults, except for ports, folders, the number of cores (1,024),
  warnings only in the agent's log, frames not run as another user, and timestamps as the row says.
  openrqd samples and reports every 5 s; the classic agent samples every 10 s and reports every 5 to
  30 s."""


def document(run: Run) -> str:
    """The page for a run."""
    return "\n\n".join([_HEAD, tables(run), _METHOD, machine(run.about)]) + "\n"


def tables(run: Run) -> str:
    """What is promised, everything measured, and what went wrong."""
    lines = summarise(run)
    promised = [replace(line, label=named(line, run)) for line in lines if line.row.target]
    parts: list[str] = []
    if promised:
        parts += ["## What is promised", table(promised, run.agents(), targets=True)]
    parts.append("## Everything measured")
    for measure in TITLES:
        of_measure = [line for line in lines if line.row.measure == measure]
        if of_measure:
            parts += [f"### {title(measure, run)}", table(of_measure, run.agents(), targets=False)]
    said = failures(run)
    if said:
        parts += ["### Rounds without figures", "\n".join(f"- {sentence}" for sentence in said)]
    return "\n\n".join(parts)


def title(measure: str, run: Run) -> str:
    """A measure's title at the scale of the run."""
    megabytes = figure(run.scale["log_lines"] * LINE_BYTES / 1e6)
    return TITLES[measure].format(log_megabytes=megabytes)


def named(line: Line, run: Run) -> str:
    """A line's label that says what it is about when its measure's title isn't above it."""
    return f"{title(line.row.measure, run)}: {line.label}"


def machine(about: Mapping[str, Any]) -> str:
    """The machine, the software and the day of a run, in words."""
    versions = "; ".join(f"{name}: {said}" for name, said in about["agents"].items())
    return (
        "## The machine of this run\n\n"
        f"{about['day']}: {about['cores']} cores, {about['memory_gib']} GiB of memory, "
        f"Linux {about['kernel']}, Python {about['python']}. {versions}."
    )
