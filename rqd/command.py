"""
The ``openrqd`` command: the agent of ``twistd openrqd`` in the foreground.

What runs the agent is only imported once it is really to run, so that C{--version} and the like
stay quick, and without twistd's own machinery, which a foreground needs nothing of. Nothing at all
is imported before the garbage collector rests: it would look through each new module for nothing.
C{openrqd migrate-config} is a command of its own, which needs nothing of the agent.
Exit statuses: 0 for an agent that was stopped, also by SIGTERM or SIGINT; 1 for one that could not
start; 64 for a wrong command line; 78 for a wrong configuration.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from rqd import lean

if TYPE_CHECKING:
    from rqd.assembly.ground import IAgentReactor
    from rqd.config.settings import LoggingSettings
    from rqd.logging.agent import LineObserver
    from rqd.systemd.journal import Journal
    from rqd.tap import Options


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run the agent until it ends.

    @param arguments: those after the command's name; by default the process's own.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["migrate-config"]:
        from rqd.config import migration

        raise SystemExit(migration.main(given[1:]))
    gc.disable()  # imports make no garbage worth looking for; the agent switches it on again
    for name in lean.UNUSED:
        lean.put_off(name)
    from twisted.python import usage

    from rqd.tap import Options

    options = Options()
    try:
        options.parseOptions(given)
    except usage.UsageError as problem:
        sys.stderr.write(f"openrqd: {problem}\nTry openrqd --help.\n")
        raise SystemExit(os.EX_USAGE) from None
    _run(options)


def _run(options: Options) -> None:
    from twisted.internet import reactor as installed

    from rqd import foreground
    from rqd.logging import agent
    from rqd.tap import make_agent

    settings = options.loaded.settings.logging
    stdout = None if settings.file_appender else _stdout(settings)
    observers = [] if stdout is None else [stdout]  # the agent itself logs to the file
    reactor = cast("IAgentReactor", installed)
    try:
        foreground.run(make_agent(options, reactor), observers, reactor=reactor)
    finally:
        if stdout is not None:
            stdout.flush(agent.LAST_LINES)


def _stdout(settings: LoggingSettings) -> LineObserver | Journal:
    """Where systemd's journal reads it anyway, entries with fields."""
    from rqd.logging import agent

    if "JOURNAL_STREAM" in os.environ:
        from rqd.systemd import journal

        if journal.is_ours(os.environ, sys.stdout.fileno()):
            with suppress(OSError):
                return journal.Journal()
    return agent.to_stdout(settings)
