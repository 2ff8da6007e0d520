"""A run of the bench from the command line to the page."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from benchmarks.about import about
from benchmarks.agents import Agent, known_agents
from benchmarks.chart import bars, svg
from benchmarks.document import document, tables
from benchmarks.options import Options, parse
from benchmarks.people import render_user
from benchmarks.places import CHART, DOCUMENT
from benchmarks.prepare import PrepareError, prepare
from benchmarks.progress import Progress
from benchmarks.results import Record, Run, read_run
from benchmarks.scale import FULL, QUICK, ROUNDS
from benchmarks.schedule import run_steps, steps
from benchmarks.session import Site
from benchmarks.summary import failures, summarise

KEPT, MISSED, IMPOSSIBLE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit status."""
    signal.signal(signal.SIGTERM, _leave)
    options = parse(arguments)
    if options.render is not None:
        return publish(read_run(options.render), write_docs=options.write_docs)
    agents = [known_agents()[name] for name in options.agents]
    try:
        prepare(agents)
    except PrepareError as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return IMPOSSIBLE
    raw = measure(options, agents)
    print(f"raw results: {raw}")
    return publish(read_run(raw), write_docs=options.write_docs)


def _leave(number: int, frame: FrameType | None) -> None:
    """End by the way of an exception, so that sessions clean up."""
    raise SystemExit(128 + number)


def measure(options: Options, agents: Sequence[Agent]) -> Path:
    """Take all measures; the file that holds what came of them."""
    folder = options.results / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    scale = QUICK if options.quick else FULL
    site = Site(scale, render_user(), folder / "agent-logs")
    planned = list(steps(options.measures, rounds(options), agents, site))
    record = Record(folder / "raw.jsonl", about(agents), asdict(scale))
    try:
        run_steps(planned, record, Progress(len(planned), sys.stdout))
    finally:
        record.close()
    return folder / "raw.jsonl"


def rounds(options: Options) -> Callable[[str], int]:
    """How often each measure is taken."""

    def number(name: str) -> int:
        if options.rounds is not None:
            return options.rounds
        return 1 if options.quick else ROUNDS[name]

    return number


def publish(run: Run, *, write_docs: bool) -> int:
    """Print the tables, write page and chart if they are wanted; the exit status."""
    lines = summarise(run)
    print(tables(run))
    if write_docs:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document(run), encoding="utf-8")
        CHART.write_text(svg(bars(lines)), encoding="utf-8")
        print(f"written: {DOCUMENT} and {CHART.name}")
    missed = [line for line in lines if line.met is False]
    return MISSED if missed or failures(run) else KEPT
