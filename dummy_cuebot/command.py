"""The ``dummy-cuebot`` program: its command line, and what each command runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any

from dummy_cuebot import report_server, rqd_client, run_job
from dummy_cuebot.errors import Problem

# A failure of our own, told apart from the status of a frame (which --wait passes on).
FAILED = 125


def main(arguments: Sequence[str] | None = None) -> int:
    """The program's exit status. Wrong usage exits with 2, as argparse does."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Problem as problem:
        for sentence in problem.sentences:
            print(f"dummy-cuebot: {sentence}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def parser() -> ArgumentParser:
    top = ArgumentParser(
        prog="dummy-cuebot", description="A stand-in for the scheduler of an OpenCue farm."
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _add(
        commands,
        "report-server",
        "print what agents report",
        report_server.add_arguments,
        _with_reactor(report_server.run),
    )
    _add(
        commands,
        "rqd-client",
        "call one agent",
        rqd_client.add_arguments,
        rqd_client.run,
    )
    _add(
        commands,
        "run-job",
        "run a job file on one or more agents",
        run_job.add_arguments,
        _with_reactor(run_job.run),
    )
    return top


def _add(
    commands: Any,
    name: str,
    about: str,
    add_arguments: Callable[[ArgumentParser], None],
    run: Callable[[Namespace], int],
) -> None:
    # -h is --host in rqd-client, so no command has it for help.
    command = commands.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}.", add_help=False
    )
    command.add_argument("--help", action="help", help="show this and exit")
    add_arguments(command)
    command.set_defaults(run=run)


def _with_reactor(run: Callable[[Namespace, Any], int]) -> Callable[[Namespace], int]:
    """The global reactor is imported here alone, and only by the commands that serve."""

    def start(options: Namespace) -> int:
        from twisted.internet import reactor

        return run(options, reactor)

    return start
