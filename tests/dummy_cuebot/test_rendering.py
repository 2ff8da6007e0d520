"""Reports as lines."""

from __future__ import annotations

import json
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dummy_cuebot.colours import coloured
from dummy_cuebot.rendering import as_json, as_line, size
from dummy_cuebot.reports import STARTUP, STATUS, Report
from rqd.proto import host_pb2, report_pb2
from tests.dummy_cuebot.examples import a_completion, a_host_report


def after_clock(report: Report) -> str:
    return as_line(report).split(" ", 1)[1]


class Lines(SynchronousTestCase):
    def test_startup(self) -> None:
        """A host that starts tells its cores, memory, system and tags."""
        host: Any = report_pb2.RenderHost(
            name="h", total_mem=24684092, total_mcp=1024, tags=["a", "b"], attributes={"SP_OS": "x"}
        )
        cores = report_pb2.CoreDetail(total_cores=400, idle_cores=350, booked_cores=50)
        report = Report(STARTUP, 0.0, "", report_pb2.BootReport(host=host, core_info=cores))
        self.assertEqual(
            after_clock(report),
            "startup    h: cores 4 = 3.5 idle + 0 locked + 0.5 booked, 23.54 GiB memory,"
            " 1 MiB temp, os x, tags a,b",
        )

    def test_status(self) -> None:
        """A status tells what the host does, and what isn't as usual."""
        message = a_host_report("h", 200, locked_cores=200)
        message.host.load = 144
        message.host.state = host_pb2.REBOOT_WHEN_IDLE
        message.host.nimby_locked = True
        self.assertEqual(
            after_clock(Report(STATUS, 0.0, "", message)),
            "status     h: cores 2 = 0 idle + 2 locked + 0 booked, 0 frames, load 1.44,"
            " 0 KiB memory free, REBOOT_WHEN_IDLE, NIMBY locked",
        )

    def test_completion(self) -> None:
        """A completion tells which frame ended how, and what it used."""
        report = a_completion(
            "r", 1, 9, job_name="j", frame_name="0001-x", frame_id="f", max_rss=728148
        )
        self.assertEqual(
            after_clock(report),
            "completion host1: j.0001-x exit 1 signal 9, ran 0 s, max rss 711.1 MiB, frame f",
        )

    def test_clock(self) -> None:
        """The line begins with the local time of arrival."""
        report = Report(STATUS, 3600.0, "", a_host_report())
        expected = time.strftime("%H:%M:%S", time.localtime(3600))
        self.assertTrue(as_line(report).startswith(expected))

    def test_unknown_state(self) -> None:
        """A state from a newer contract is shown as its number."""
        message = a_host_report()
        message.host.state = 77
        self.assertIn("state 77", as_line(Report(STATUS, 0.0, "", message)))

    def test_colour_adds_nothing_but_colour(self) -> None:
        """The coloured line is the plain one between escape sequences."""
        report = a_completion("r", 1)
        escaped = as_line(report, coloured)
        self.assertIn("\x1b[31mexit 1\x1b[0m", escaped)

    def test_json(self) -> None:
        """JSON is one line, with the report's own field names."""
        line = as_json(a_completion("r", 3, frame_name="x\ny"))
        self.assertNotIn("\n", line)
        told = json.loads(line)
        self.assertEqual((told["report"], told["message"]["exit_status"]), ("completion", 3))

    def test_sizes(self) -> None:
        """A size takes the unit that keeps its number short."""
        self.assertEqual(
            [size(0), size(1023), size(1536), size(1 << 20), size(1 << 40)],
            ["0 KiB", "1023 KiB", "1.5 MiB", "1 GiB", "1024 TiB"],
        )
