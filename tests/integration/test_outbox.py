"""Completions of a real agent, over outages of Cuebot and restarts.

C{OPENRQD_WEEKEND_COMPLETIONS} is how many wait in C{test_many}; C{make weekend} has 20,000.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

from twisted.internet import reactor

from rqd.blanks import Blanks
from rqd.frame.records import Records, Whereabouts
from rqd.proto import report_pb2
from rqd.servant.frame_calls import spec_of
from rqd.system.reservations import Reservation
from tests.integration.agent import Agent, AgentCase, on_agent
from tests.integration.farm import FakeCuebot
from tests.integration.log_frames import until

COMPLETIONS = int(os.environ.get("OPENRQD_WEEKEND_COMPLETIONS", "500"))
#: Seconds that all of them may take.
MINUTE = 60.0
#: Probes are so rare that no other than the oldest is tried in a test's time.
SELDOM = {"backoff_delay_max": "1s"}


def records(agent: Agent) -> dict[str, bytes]:
    """The reports that are on disk, by frame id."""
    found = {}
    for record in Path(agent.state, "frames").glob("*.record"):
        _, found_one, line = record.read_bytes().rpartition(b'\n{"report"')
        if found_one and line.endswith(b"\n"):
            report = base64.b64decode(json.loads(b'{"report"' + line)["report"])
            found[report_pb2.FrameCompleteReport.FromString(report).frame.frame_id] = report
    return found


async def frames_end(agent: Agent, number: int, ended: list[str]) -> None:
    """One after the other."""
    for _ in range(number):
        ended.append(agent.launch(f"exit {len(ended)}").id)
        await until(lambda: ended[-1] in records(agent))


class WaitingTests(AgentCase):
    """Frames end, and nobody is there to hear of it."""

    timeout = 600

    @on_agent(grpc=SELDOM)
    async def test_away(self, agent: Agent) -> None:
        """Frames that end under three agents are told to the Cuebot that comes at last."""
        await agent.cuebot.stop()
        ended: list[str] = []
        for end in (signal.SIGKILL, signal.SIGTERM):
            await frames_end(agent, 10, ended)
            await agent.end(end)
            await agent.start_unknown()
        await frames_end(agent, 10, ended)
        kept = records(agent)
        self.assertEqual(agent.report().host.attributes["completionsWaiting"], "30")
        agent.cuebot = FakeCuebot(reactor, port=agent.cuebot.port)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.completions) >= 30)
        told = {report.frame.frame_id: report for report in agent.cuebot.completions}
        self.assertEqual(next(iter(told)), ended[0])
        self.assertEqual(sorted(told), sorted(ended))
        for number, frame_id in enumerate(ended):
            report = report_pb2.FrameCompleteReport.FromString(kept[frame_id])
            self.assertEqual(told[frame_id], report)
            self.assertEqual(report.exit_status, number)
        await agent.told(lambda status: "completionsWaiting" not in status.host.attributes)

    @on_agent(grpc=SELDOM)
    async def test_many(self, agent: Agent) -> None:
        """An agent that finds very many to tell does so within a minute, and stays small."""
        await agent.end()
        ids = [f"frame-{number}" for number in range(COMPLETIONS)]
        make_records(agent, ids)
        began = time.monotonic()
        await agent.start_again()
        served = time.monotonic() - began
        startup = len(agent.cuebot.attempts)
        await agent.cuebot.wait_for(lambda cuebot: len(cuebot.completions) >= COMPLETIONS, MINUTE)
        took = time.monotonic() - began
        told = [report.frame.frame_id for report in agent.cuebot.completions]
        self.assertEqual(sorted(told), sorted(ids))
        peak = memory(agent.pid)
        order = {frame_id: place for place, frame_id in enumerate(ids)}
        off = max(abs(order[frame_id] - place) for place, frame_id in enumerate(told))
        sys.stderr.write(
            f"\n{COMPLETIONS} completions: known after {served:.1f} s, all told after {took:.1f} s,"
            f" {startup} before the startup report, out of place by {off} at most,"
            f" {peak:.0f} MiB at most"
        )


def make_records(agent: Agent, ids: list[str]) -> None:
    """Frames that ended under an earlier agent, one a second; their logs are whole."""
    records = Records(agent.state, agent.temp, Blanks(agent.state))
    environment = {f"VARIABLE_{number}": "/some/where/" * 5 for number in range(30)}
    now = time.time() - len(ids)
    for number, frame_id in enumerate(ids):
        request = agent.request("true", frame_id=frame_id, environment=environment)
        files = records.files(f"{frame_id}.{number:x}")
        files.create(
            spec_of(request.SerializeToString()),
            Reservation(1),
            Whereabouts("none", (1 << 22) + 7, 1000, "b00t"),
            shell="/bin/sh",
            identity=None,
            spooled=True,
            started_at=now,
            born=0.0,
        )
        files.write_report(report_of(frame_id), b"foot\n")
        files.remove_all_but_record()
        os.utime(files.record, (now + number, now + number))


def report_of(frame_id: str) -> bytes:
    """A completion of a frame of some processes."""
    frame = report_pb2.RunningFrameInfo(frame_id=frame_id, resource_id=frame_id)
    for pid in range(20):
        frame.children.children.add(stat={"pid": str(pid)}, cmdline="/usr/bin/renderer scene " * 8)
    return report_pb2.FrameCompleteReport(frame=frame).SerializeToString()


def memory(pid: int) -> float:
    """The most that a process has had in memory, MiB."""
    found = re.search(r"(?m)^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024
