"""
The ``openrqd`` command: the service of ``twistd openrqd`` in the foreground.

It runs twistd's own machinery with the service handed to it. Looking the service up among all
plugins, as twistd does, would import every plugin of the machine; and the machinery itself is
only imported once the agent is really to run, so that C{--version} and the like stay quick.
Exit statuses: 0 for an agent that was stopped, also by SIGTERM or SIGINT; 1 for one that could not
start; 64 for a wrong command line; 78 for a wrong configuration.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Final

from twisted.python import usage

from rqd.tap import Options

#: Stay in the terminal, write no pid file and no pickle.
_TWISTD_OPTIONS: Final = ("--nodaemon", "--pidfile=", "--no_save")


def main(arguments: Sequence[str] | None = None) -> None:
    """
    Run the agent until it ends.

    @param arguments: those after the command's name; by default the process's own.
    """
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if arguments is None else arguments)
    except usage.UsageError as problem:
        sys.stderr.write(f"openrqd: {problem}\nTry openrqd --help.\n")
        raise SystemExit(os.EX_USAGE) from None
    _run(options)


def _run(options: Options) -> None:
    gc.disable()  # imports make no garbage worth looking for; the service switches it on again
    from twisted.application.service import ServiceMaker
    from twisted.logger import LogPublisher
    from twisted.scripts import twistd

    from rqd.foreground import Foreground
    from rqd.logging import agent

    settings = options.loaded.settings.logging
    stdout = None if settings.file_appender else agent.to_stdout(settings)
    config = twistd.ServerOptions()  # type: ignore[attr-defined]  # exported by platform
    config.parseOptions(_TWISTD_OPTIONS)
    # A publisher to nobody: the service itself logs to the file.
    config["logger"] = lambda: stdout or LogPublisher()
    config.subCommand = "openrqd"
    config.subOptions = options
    config.loadedPlugins = {"openrqd": ServiceMaker("openrqd", "rqd.tap", "", "openrqd")}
    try:
        Foreground(config).run()
    finally:
        if stdout is not None:
            stdout.flush(agent.LAST_LINES)
