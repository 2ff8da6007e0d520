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
from benchmarks.document import document, notes_of, tables
from benchmarks.growthchart import growth_svg
from benchmarks.options import Options, parse
from benchmarks.people import render_user
from benchmarks.places import CHART, DOCUMENT, GROWTH_CHART
from benchmarks.prepare import PrepareError, prepare
from benchmarks.progress import Progress
from benchmarks.results import Record, Run, read_run
from benchmarks.scale import FULL, QUICK, ROUNDS, Rounds
from benchmarks.schedule import run_steps, steps
from benchmarks.session import Site
from benchmarks.summary import failures, short_measures, summarise

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
    """Take all measures, then once more those of which a row fell short; the raw results' file."""
    folder = options.results / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    scale = QUICK if options.quick else FULL
    site = Site(scale, render_user(), folder / "agent-logs")
    raw = folder / "raw.jsonl"
    record = Record(raw, about(agents, options.measures), asdict(scale))

    def take(measures: Sequence[str], attempt: int) -> None:
        planned = list(steps(measures, rounds(options), agents, site))
        run_steps(planned, record, Progress(len(planned), sys.stdout), attempt=attempt)

    try:
        take(options.measures, 1)
        again = short_measures(read_run(raw)) if options.again else []
        if again:
            print(f"once more, since a row fell short: {', '.join(again)}", flush=True)
            take(again, 2)
    finally:
        record.close()
    return raw


def rounds(options: Options) -> Callable[[str], Rounds]:
    """How often each measure is taken."""

    def number(name: str) -> Rounds:
        usual = ROUNDS[name]
        asked = 1 if options.quick and options.rounds is None else options.rounds
        if asked is None:
            return usual
        return Rounds(asked, asked if usual.others == usual.ours else min(asked, usual.others))

    return number


def publish(run: Run, *, write_docs: bool) -> int:
    """Print the tables, write page and charts if they are wanted; the exit status."""
    lines = summarise(run)
    print(tables(run))
    if write_docs:
        old = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document(run, notes_of(old)), encoding="utf-8")
        CHART.write_text(svg(bars(lines)), encoding="utf-8")
        GROWTH_CHART.write_text(growth_svg(run), encoding="utf-8")
        print(f"written: {DOCUMENT}, {CHART.name} and {GROWTH_CHART.name}")
    missed = [line for line in lines if line.row.target and not line.met]
    for line in missed:
        print(f"not kept: {line.label}")
    return MISSED if missed or failures(run) else KEPT
