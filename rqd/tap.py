"""
What ``openrqd`` and ``twistd openrqd`` need: the options, and the agent made of them.

The configuration is loaded while the options are parsed, so before twistd forks or detaches: its
problems reach the terminal and the exit status. Nothing of gRPC, no thread and no reactor is
touched before L{makeService}.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TextIO, cast

from twisted.python import usage

from rqd import __version__
from rqd.config import ConfigurationError, Loaded, load

if TYPE_CHECKING:
    from twisted.application.service import IService

    from rqd.agent import Agent
    from rqd.assembly.ground import IAgentReactor

#: Exit status for a configuration that can't be used (EX_CONFIG of sysexits.h: 78).
CONFIGURATION_STATUS: Final = os.EX_CONFIG


class Options(usage.Options):
    """
    The command line.

    @ivar loaded: the configuration; there once the options are parsed.
    """

    longdesc = (
        "The agent that runs OpenCue frames on this host. Without --config it reads the file "
        "named by $OPENCUE_RQD_CONFIG, else /etc/openrqd/rqd.yaml, else ~/.local/share/rqd.yaml; "
        "variables such as OPENRQD__GRPC__RQD_PORT win over the file. A configuration that can't "
        "be used ends the command with status 78 and one line for each problem. "
        "openrqd migrate-config FILE prints the classic agent's configuration as openrqd's."
    )
    optParameters = [
        ["config", "c", None, "Read this configuration file (YAML)."],
    ]
    optFlags = [
        ["validate-config", None, "Print every problem of the configuration; exit with 0 or 78."],
        ["print-config", None, "Print the settings in effect and where each came from; exit."],
        ["debug", "d", "Log everything, whatever logging.level says."],
    ]
    loaded: Loaded

    def __init__(self, *, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self._environ = environ

    def opt_version(self) -> None:
        """Print the version and exit."""
        _write(sys.stdout, [f"openrqd {__version__}"])
        raise SystemExit(0)

    def postOptions(self) -> None:
        """Load the configuration, then do what does not need the agent to run."""
        try:
            self.loaded = self.load()
        except ConfigurationError as problem:
            if self["validate-config"]:
                _write(sys.stderr, _warnings(problem.warnings))
            _write(sys.stderr, [f"error: {each}" for each in problem.problems])
            self._tell_systemd(problem)
            raise SystemExit(CONFIGURATION_STATUS) from None
        if self["validate-config"]:
            _write(sys.stderr, _warnings(self.loaded.warnings))
            _write(sys.stdout, [f"{self.loaded.path or 'no file, defaults'}: valid"])
            raise SystemExit(0)
        if self["print-config"]:
            self._print()
            raise SystemExit(0)

    def load(self) -> Loaded:
        """Read the configuration; raises ConfigurationError. Blocks on the disk."""
        loaded = load(self["config"], self._environ)
        return _with_debug(loaded) if self["debug"] else loaded

    def _tell_systemd(self, problem: ConfigurationError) -> None:
        """What C{systemctl status} shows of a service that could not start."""
        if socket := self._environ.get("NOTIFY_SOCKET"):
            from rqd.systemd.notify import say_last

            more = len(problem.problems) - 1
            rest = f" (and {more} more, see the journal)" if more else ""
            say_last(socket, f"configuration: {problem.problems[0]}{rest}")

    def _print(self) -> None:
        from rqd.config.rendering import render

        _write(sys.stderr, _warnings(self.loaded.warnings))
        sys.stdout.write(render(self.loaded))


def makeService(options: Options) -> IService:
    """The agent as twistd wants it; it starts when twistd starts it, and not before."""
    gc.disable()  # imports make no garbage worth looking for; the agent switches it on again
    from twisted.internet import reactor

    from rqd.twistd_service import AgentService

    return AgentService(make_agent(options, cast("IAgentReactor", reactor)))


def make_agent(options: Options, reactor: IAgentReactor) -> Agent:
    """The agent, not started."""
    from rqd.agent import Agent
    from rqd.clock import keep_monotonic_time
    from rqd.log import set_threshold

    loaded = options.loaded
    keep_monotonic_time(reactor)
    set_threshold(loaded.settings.logging.level)
    return Agent(loaded, reactor=reactor, umask=_umask(options), load=options.load)


def _umask(options: Options) -> int:
    """
    The umask of frames: twistd's C{--umask}, else that of whoever started the agent.

    It is read here because twistd, when it detaches, sets one that keeps everything private:
    right for the agent's own files, wrong for pictures on shared storage.
    """
    asked = options.parent["umask"] if options.parent is not None else None
    if asked is not None:
        return int(asked)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def _with_debug(loaded: Loaded) -> Loaded:
    """The same configuration with the level that the command line asks for."""
    settings = loaded.settings
    logging = replace(settings.logging, level="debug")
    origins = MappingProxyType({**loaded.origins, "logging.level": "--debug"})
    return loaded._replace(settings=replace(settings, logging=logging), origins=origins)


def _warnings(sentences: Iterable[str]) -> list[str]:
    return [f"warning: {each}" for each in sentences]


def _write(stream: TextIO, lines: Iterable[str]) -> None:
    stream.write("".join(f"{line}\n" for line in lines))
