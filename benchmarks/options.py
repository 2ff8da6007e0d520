"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.agents import known_agents
from benchmarks.places import DOCUMENT, RESULTS
from benchmarks.rows import TITLES


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    measures: tuple[str, ...]
    agents: tuple[str, ...]
    rounds: int | None
    quick: bool
    again: bool
    results: Path
    write_docs: bool
    render: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; exits with a message if it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure openrqd and the classic agent side by side. What falls short is "
        "measured once more before it counts. Exit status: 0 if every promise was kept, 1 if "
        "one wasn't, or couldn't be measured, or a round failed; 2 if nothing could be measured.",
    )
    parser.add_argument("--tests", type=_names(list(TITLES)), default=tuple(TITLES), metavar="A,B")
    parser.add_argument(
        "--rounds",
        type=int,
        help="as many rounds of every test, but fewer of other agents where no ratio is promised",
    )
    parser.add_argument("--quick", action="store_true", help="small and once, writes no docs")
    parser.add_argument(
        "--again",
        action=argparse.BooleanOptionalAction,
        help="measure once more what fell short (default: unless --rounds or --quick is given)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the raw results")
    parser.add_argument("--no-docs", action="store_true", help=f"leave {DOCUMENT.name} alone")
    agents = list(known_agents())
    parser.add_argument("--agents", type=_names(agents), default=tuple(agents), metavar="A,B")
    parser.add_argument("--render", type=Path, metavar="RAW", help="measure nothing, write docs")
    given = parser.parse_args(arguments)
    return Options(
        measures=given.tests,
        agents=given.agents,
        rounds=given.rounds,
        quick=given.quick,
        again=not (given.rounds or given.quick) if given.again is None else given.again,
        results=given.out,
        write_docs=not (given.no_docs or given.quick),
        render=given.render,
    )


def _names(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of names from a list, joined by commas."""

    def read(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if name not in known]
        if unknown:
            said = f"{', '.join(unknown)}: choose from {', '.join(known)}"
            raise argparse.ArgumentTypeError(said)
        return names

    return read
