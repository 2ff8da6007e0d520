"""
The ``openrqd`` command: the service of ``twistd openrqd`` in the foreground.

It runs twistd's own machinery with the service handed to it. Looking the service up among all
plugins, as twistd does, would import every plugin of the machine; and the machinery itself is
only imported once the agent is really to run, so that C{--version} and the like stay quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from twisted.python import usage

from rqd.tap import Options

#: Stay in the terminal, write no pid file and no pickle.
_TWISTD_OPTIONS: Final = ("--nodaemon", "--pidfile=", "--no_save")
#: How long the end of the process waits for the last lines of its log, seconds.
_LOG_PATIENCE: Final = 2.0


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
    from twisted.application.service import ServiceMaker
    from twisted.scripts import twistd

    from rqd.logging import agent

    observer = agent.to_stdout(options.loaded.settings.logging)
    config = twistd.ServerOptions()  # type: ignore[attr-defined]  # exported by platform
    config.parseOptions(_TWISTD_OPTIONS)
    config["logger"] = lambda: observer
    config.subCommand = "openrqd"
    config.subOptions = options
    config.loadedPlugins = {"openrqd": ServiceMaker("openrqd", "rqd.tap", "", "openrqd")}
    try:
        twistd.runApp(config)
    finally:
        observer.flush(_LOG_PATIENCE)
