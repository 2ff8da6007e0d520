"""docs/benchmarks.md: the newest figures, and how they came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from benchmarks.results import Run
from benchmarks.rows import TITLES
from benchmarks.series import WITH, all_series, growth_table
from benchmarks.stamps import LINE_BYTES
from benchmarks.summary import Line, failures, first_time, summarise
from benchmarks.table import figure, table
from benchmarks.targets import TIMES

_HEAD = """\
# Benchmarks

openrqd and the classic agent (PyPI's `opencue-rqd`), measured side by side in one run by `make
bench`, which wrote this page. A figure is the median of the rounds, with the least and the most of
them in brackets; a ratio is openrqd's median by the classic agent's. Compare ratios: single times
belong to the machine and the day.

![How many times better than the classic agent](benchmarks.svg)"""

NOTES_BEGIN = "<!-- Written by hand; `make bench` keeps what stands from here -->"
NOTES_END = "<!-- to here. -->"

_NO_NOTES = """\
## Where we are above the floor, and why

Nothing has been written here yet."""

_TARGETS = """\
A target with {times} is of the ratio, one without of openrqd's own figure: of its median, but of
the worst round where there is to be none. A row that falls short is measured once more, and then
those figures count. The Rust agent's are its own ratios or figures, measured the same way
elsewhere."""

_GROWTH = """\
## How it grows

Medians of openrqd alone. The exponent is that of the power that fits them best: 0 is constant, 1 in
proportion.

![How the costs grow](benchmarks-growth.svg)"""

_METHOD = """\
## How it is measured

- Each measure is taken in rounds. In a round every side has its turn, freshly started with a fresh
  cuebot, in a random order, so that what the machine does meanwhile meets all alike. The floor is
  taken in the same rounds.
- Rounds, with openrqd and with the classic agent: {rounds}. The classic agent takes part in fewer,
  or in none, where nothing is promised of a ratio to it; growth, {many} frames at once and the
  reactor's time are of openrqd alone.
- The cuebot notes when a report arrives before it does anything with it. Frames stamp their own
  first and last instruction. All clocks are one machine's monotonic clock.
- **launch → command runs**: from before the LaunchFrame call to the command's first instruction.
  **exit → completion received**: from the command's last instruction to the report's arrival.
- **CPU of the agent** is the process's own CPU clock, ended threads included. All that it started
  (frames, the programs around them, supervisors that wait for frames) has a row of its own.
- **exec → serving**: until a ReportStatus call is answered. One uncounted start comes before. The
  classic agent has one way of starting, which stands beside both of ours.
- **with `run_as_user`**: the frames' user exists on the machine; the agents run as root. The
  classic agent becomes `daemon`, and may here still read what root may: its Python.
  Of /bin/true it is given {slow}.
- **10 MB a second each**: in writes of 64 KiB, at an even pace. What came into the logs in the
  meantime says whether the frames were held up.
- **Behind a scheduler**: `dummy-cuebot run-job` with an agent of 2 cores, which books the next
  frame at each completion; from the first booking to the last completion.
- **Idle, and while frames run**: the costs of both agents are watched in the same {window:.0f} s,
  in which the driver does nothing; calls are made to one after the other. openrqd samples and
  reports every 5 s; the classic agent samples every 10 s and reports every 5 to 30 s.
- **Threads**: first a burst of frames, with a cuebot that is slow to answer, fills the pools; then
  threads are counted with no frame, and with many running.
- **MB/s of a log**: from the launch to the completion's arrival, so a slow completion counts; the
  log is then checked line by line. Without timestamps it is {plain} MB.
- **The reactor's time**: a stopwatch stands between the real agent's reactor and its epoll, and
  times what happens from one poll to the next. All of a stretch counts, whether it worked or waited
  for the interpreter's lock or a core; all that the reactor does in a tick counts, the report too.
- **Last ten seconds by first**: medians of short frames and calls, and what the agent spent on each
  pair of them.
- **Nothing lost, nothing left**: counted before and after, once the pools are filled; what is still
  grown after 15 s is left.
- **floor**: what the driver and the machine take with no agent in between. For a launch, `/bin/sh`
  that executes the command; for a completion, `wait` that returns; for a call, a gRPC server in
  Python that does nothing; for a start, such a server's.
- Configuration: both at their defaults, except for ports, folders, the number of cores (1,024 where
  nothing else is said), warnings only in the agent's log, and frames as another user and timestamps
  where the row says so (else neither)."""


def document(run: Run, notes: str = "") -> str:
    """The page for a run; `notes` are those of the page before."""
    kept = "\n\n".join([NOTES_BEGIN, notes or _NO_NOTES, NOTES_END])
    return "\n\n".join([_HEAD, kept, tables(run), _method(run), machine(run.about)]) + "\n"


def notes_of(page: str) -> str:
    """What was written by hand into a page; nothing if it has no place for that."""
    _, begins, rest = page.partition(NOTES_BEGIN)
    notes, ends, _ = rest.partition(NOTES_END)
    return notes.strip() if begins and ends else ""


def tables(run: Run) -> str:
    """What is promised, how it grows, everything measured, and what went wrong."""
    promised = [replace(x, label=named(x, run)) for x in summarise(run) if x.row.target]
    parts: list[str] = []
    if promised:
        said = _TARGETS.format(times=TIMES)
        parts += ["## What is promised", said, table(promised, run.agents(), targets=True)]
    parts += growth(run)
    lines = first_time(run)
    parts.append("## Everything measured\n\nThe first time, where it was measured twice.")
    for measure in TITLES:
        of_measure = [line for line in lines if line.row.measure == measure]
        if of_measure:
            parts += [f"### {title(measure, run)}", table(of_measure, run.agents(), targets=False)]
    failed = failures(run)
    if failed:
        parts += ["### Rounds without figures", "\n".join(f"- {each}" for each in failed)]
    return "\n\n".join(parts)


def growth(run: Run) -> list[str]:
    """The part about growth, nothing if it wasn't measured."""
    parts = []
    for measure, what in WITH.items():
        series = all_series(run, measure)
        if series:
            parts += [f"### With the {what}", growth_table(series)]
    return [_GROWTH, *parts] if parts else []


def title(measure: str, run: Run) -> str:
    """A measure's title at the scale of the run."""
    megabytes = figure(run.scale["log_lines"] * LINE_BYTES / 1e6)
    return TITLES[measure].format(**run.scale, log_megabytes=megabytes)


def named(line: Line, run: Run) -> str:
    """A line's label that says what it is about when its measure's title isn't above it."""
    return f"{title(line.row.measure, run)}: {line.label}"


def _method(run: Run) -> str:
    rounds = ", ".join(f"{name} {number}" for name, number in _rounds(run))
    plain = figure(run.scale["plain_lines"] * LINE_BYTES / 1e6)
    return _METHOD.format(
        rounds=rounds,
        many=f"{run.scale['many']:,}",
        window=run.scale["window"],
        plain=plain,
        slow=run.scale["slow_throughput"],
    )


def _rounds(run: Run) -> Iterator[tuple[str, str]]:
    """How many rounds of each measure gave figures, the first time."""
    for measure in run.measures():
        of_agents = [
            sum(
                (r.measure, r.agent, r.attempt) == (measure, name, 1)
                and r.round >= 0
                and not r.error
                for r in run.results
            )
            for name in run.agents()
        ]
        yield measure, " and ".join(map(str, of_agents))


def machine(about: Mapping[str, Any]) -> str:
    """The machine, the software and the day of a run, in words."""
    versions = "; ".join(f"{name}: {said}" for name, said in about["agents"].items())
    return (
        "## The machine of this run\n\n"
        f"{about['day']}: {about['cores']} cores, {about['memory_gib']} GiB of memory, "
        f"Linux {about['kernel']}, Python {about['python']}. {versions}."
    )
