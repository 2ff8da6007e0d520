"""``dummy-cuebot run-job``: runs a job file on real agents, to its end."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from dummy_cuebot import addresses, jobfile
from dummy_cuebot.production import Production
from dummy_cuebot.report_server import not_negative
from dummy_cuebot.server import ReportServer


def setting(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` of ``--set``."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", metavar="JOB.yaml", help="the job file")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        type=addresses.endpoint(addresses.RQD_PORT),
        metavar="HOST[:PORT]",
        help="an agent to use, repeatable; without any, all that report here are used",
    )
    parser.add_argument(
        "--rqd-port",
        type=addresses.port,
        default=addresses.RQD_PORT,
        metavar="PORT",
        help="port of agents that are known by their reports (default: %(default)s)",
    )
    parser.add_argument(
        "-p",
        "--port",
        type=addresses.port,
        default=addresses.REPORT_PORT,
        help="port to take reports on (default: %(default)s)",
    )
    parser.add_argument(
        "--interface",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to take reports on, 0.0.0.0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="NAME=VALUE",
        help="a variable of the job file, repeatable",
    )
    parser.add_argument(
        "--host-timeout",
        type=not_negative,
        default=30.0,
        metavar="SECONDS",
        help="how long agents may take to answer and report (default: 30)",
    )
    parser.add_argument(
        "--timeout",
        type=not_negative,
        default=0.0,
        metavar="SECONDS",
        help="stop the job after this long (default: never)",
    )


def run(options: Namespace, reactor: Any) -> int:
    """0 if every frame ended as the job file expects, else 1."""
    job = jobfile.load(options.job, dict(options.set))
    production = Production(job, options, reactor=reactor)
    server = ReportServer(
        lambda report: reactor.callFromThread(production.take, report),
        interface=options.interface,
        port=options.port,
    )
    server.start()
    production.open(server.address)
    reactor.run()
    server.stop()
    return production.close()
