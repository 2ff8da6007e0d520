"""``dummy-cuebot rqd-client``: one agent, called by hand."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from dummy_cuebot import addresses, launch_frame
from dummy_cuebot.calls import CALLS, Call, told
from dummy_cuebot.client import AgentClient


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-h", "--host", default="localhost", help="the agent's host (default: %(default)s)"
    )
    parser.add_argument(
        "-p",
        "--port",
        type=addresses.port,
        default=addresses.RQD_PORT,
        help="the agent's port (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="call", metavar="COMMAND", required=True)
    launch = _command(commands, launch_frame.COMMAND, "run a test frame")
    launch_frame.add_arguments(launch)
    for name, call in CALLS.items():
        command = _command(commands, name, call.about)
        for argument, settings in call.arguments:
            command.add_argument(argument, **settings)


def run(options: Namespace) -> int:
    with AgentClient(addresses.address(options.host, options.port)) as agent:
        if options.call == launch_frame.COMMAND:
            return launch_frame.run(options, agent)
        return _call(CALLS[options.call], options, agent)


def _call(call: Call, options: Namespace, agent: AgentClient) -> int:
    answer = told(agent.call(call.method, call.request(options)))
    if answer:
        print(answer)
    else:
        print(f"{agent.address} took {call.method}", file=sys.stderr)
    return 0


def _command(commands: Any, name: str, about: str) -> ArgumentParser:
    # -h is the host here, also after the command's name.
    command: ArgumentParser = commands.add_parser(name, help=about, add_help=False)
    command.description = f"{about[0].upper()}{about[1:]}."
    command.add_argument("--help", action="help", help="show this and exit")
    return command
