"""``rqd-client launch-frame``: one test frame or many, and waiting for their end."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from dummy_cuebot import addresses
from dummy_cuebot.calls import points
from dummy_cuebot.client import AgentClient, CallFailed
from dummy_cuebot.errors import Problem
from dummy_cuebot.rendering import outcome
from dummy_cuebot.sample_frame import caller, environment, sample_frame, somebody
from dummy_cuebot.screen import Screen, bar
from dummy_cuebot.waiting import Ends, exit_code
from rqd.proto import rqd_pb2

COMMAND = "launch-frame"
# Launches under way at once with --count.
CLIENTS = 16


def count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 up")
    return int(text)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("command_line", metavar="CMD", help="shell command, as one argument")
    parser.add_argument(
        "--env",
        type=environment,
        default={},
        metavar="A=B,C=D",
        help="variables for the frame's environment",
    )
    parser.add_argument(
        "--run-as-user",
        action="store_true",
        help="as the calling user, for an agent that runs frames as their user",
    )
    parser.add_argument(
        "--cores",
        type=points,
        default=points("0.1"),
        metavar="CORES",
        help="cores to reserve (default: 0.1)",
    )
    parser.add_argument(
        "--count", type=count, default=1, metavar="N", help="launch N of them (default: 1)"
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for the end, exit with the frame's status"
    )
    parser.add_argument(
        "--report-server",
        type=addresses.endpoint(addresses.REPORT_PORT),
        default=f"localhost:{addresses.REPORT_PORT}",
        metavar="HOST[:PORT]",
        help="where --wait learns the end: the report server that the agent reports to"
        " (default: %(default)s)",
    )


def run(options: Namespace, agent: AgentClient) -> int:
    """Prints the id of each frame that was taken on stdout, everything else on stderr.

    Refused launches are a Problem, told after the end of the frames that were taken.
    """
    ends = Ends(options.report_server) if options.wait else None
    try:
        taken, refusals = _launch(_frames(options), options.count, agent)
        code = _wait(ends, agent, taken) if ends and taken else 0
    finally:
        if ends:
            ends.close()
    if refusals:
        raise Problem(*(f"{refusal} ({times} times)" for refusal, times in refusals.items()))
    return code


def _frames(options: Namespace) -> Iterator[Any]:
    user = caller() if options.run_as_user else somebody()
    for _ in range(options.count):
        yield sample_frame(options.command_line, user, options.env, options.cores)


def _launch(
    frames: Iterator[Any], total: int, agent: AgentClient
) -> tuple[list[Any], Counter[str]]:
    """The frames that the agent took, and how often it gave which refusal."""
    screen, taken, refusals = Screen(sys.stderr), list[Any](), Counter[str]()
    with ThreadPoolExecutor(min(CLIENTS, total)) as clients:
        answers = clients.map(lambda frame: _launch_one(frame, agent), frames)
        for done, (frame, refusal) in enumerate(answers, 1):
            if refusal:
                refusals[refusal] += 1
            else:
                taken.append(frame)
            if total > 1:
                screen.progress(bar(done, total, "launched"))
    screen.progress("")
    print(*(frame.frame_id for frame in taken), sep="\n", end="\n" * bool(taken), flush=True)
    return taken, refusals


def _launch_one(frame: Any, agent: AgentClient) -> tuple[Any, str]:
    try:
        agent.call("LaunchFrame", rqd_pb2.RqdStaticLaunchFrameRequest(run_frame=frame))
    except CallFailed as error:
        return frame, str(error)
    return frame, ""


def _wait(ends: Ends, agent: AgentClient, launched: list[Any]) -> int:
    """The highest exit code of all launched frames, once the last has ended."""
    screen, codes = Screen(sys.stderr), list[int]()
    frame_ids = {frame.resource_id: frame.frame_id for frame in launched}

    def ended(completion: Any) -> None:
        codes.append(exit_code(completion.exit_status, completion.exit_signal))
        if len(launched) > 1:
            screen.progress(bar(len(codes), len(launched), "ended"))
        if len(launched) == 1 or codes[-1]:
            end = outcome(completion.exit_status, completion.exit_signal)
            screen.line(f"frame {completion.frame.frame_id} ended: {end}")

    ends.wait(frame_ids, lambda resource_id: _runs(agent, frame_ids[resource_id]), ended)
    screen.progress("")
    return max(codes)


def _runs(agent: AgentClient, frame_id: str) -> bool:
    """Whether the agent still knows the frame. One that doesn't answer doesn't."""
    request = rqd_pb2.RqdStaticGetRunningFrameStatusRequest(frame_id=frame_id)
    try:
        agent.call("GetRunningFrameStatus", request)
    except CallFailed as error:
        return error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    return True
