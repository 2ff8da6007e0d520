"""``dummy-cuebot report-server``: prints what agents report."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any, TextIO

from dummy_cuebot import addresses
from dummy_cuebot.colours import painter
from dummy_cuebot.rendering import as_json, as_line
from dummy_cuebot.reports import Report
from dummy_cuebot.server import Misbehaviour, ReportServer


def not_negative(text: str) -> float:
    """Seconds, or a count, from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return value


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-p",
        "--port",
        type=addresses.port,
        default=addresses.REPORT_PORT,
        help="port to listen on, 0 for any free one (default: %(default)s)",
    )
    parser.add_argument(
        "--interface",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on, 0.0.0.0 for all (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a report")
    parser.add_argument(
        "--delay",
        type=not_negative,
        default=0.0,
        metavar="SECONDS",
        help="answer each report this much late",
    )
    parser.add_argument(
        "--fail-completions",
        type=not_negative,
        default=0,
        metavar="N",
        help="answer the first N completions with an error",
    )


def run(options: Namespace, reactor: Any) -> int:
    """Serves until SIGINT or SIGTERM, or until nobody reads the output."""
    printer = _Printer(sys.stdout, options.json, reactor)
    server = ReportServer(
        lambda report: reactor.callFromThread(printer.show, report),
        interface=options.interface,
        port=options.port,
        misbehaviour=Misbehaviour(options.delay, int(options.fail_completions)),
    )
    server.start()
    reactor.callWhenRunning(_greet, server.address)
    reactor.run()
    server.stop()
    return 0


def _greet(address: str) -> None:
    """Said once signals end us in order, so that whoever starts us may rely on it."""
    print(f"waiting for reports on {address}", file=sys.stderr, flush=True)


class _Printer:
    """Writes a line a report, in the reactor's thread, so that lines never mix."""

    def __init__(self, stream: TextIO, json: bool, reactor: Any) -> None:
        self._stream = stream
        self._json = json
        self._paint = painter(stream)
        self._reactor = reactor

    def show(self, report: Report) -> None:
        try:
            print(
                as_json(report) if self._json else as_line(report, self._paint),
                file=self._stream,
                flush=True,
            )
        except BrokenPipeError:
            # The reader (``| head``) has seen enough.
            self._stream = sys.stderr
            self._reactor.stop()
