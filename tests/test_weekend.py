"""A weekend without Cuebot, by a fake clock: frames end, and end, and all of them are told.

Real records on a real disk; frames, processes and Cuebot are made up. How many completions wait is
C{OPENRQD_WEEKEND_COMPLETIONS}; C{make weekend} runs it with 20,000.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import tracemalloc

from twisted.internet.defer import Deferred, execute, fail, succeed
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import GrpcSettings
from rqd.frame.exits import FrameEnd
from rqd.frame.lifecycle import Frame
from rqd.frame.recall import reports
from rqd.proto import report_pb2
from rqd.report import messages
from rqd.report.backoff import backoff
from rqd.report.connection import CuebotError
from rqd.report.outbox import Outbox
from rqd.report.shelf import IN_MEMORY
from rqd.system.condition import HostCondition
from tests.frame.place import Place
from tests.report.facts import host_sample, process_sample, usage
from tests.report.fakes import unavailable

COMPLETIONS = int(os.environ.get("OPENRQD_WEEKEND_COMPLETIONS", "600"))
#: Seconds.
WEEKEND, NIGHT = 60 * 3600.0, 12 * 3600.0
LONGEST_PROBE = 5.0
#: Bytes that each completion may cost that waits, besides those of the reports in memory; and what
#: a test needs anyway: a worker of trial's keeps all that is logged until the reactor turns.
EACH, SLACK = 500, 4 << 20
ENVIRONMENT = {f"VARIABLE_{number}": "/some/where/" * 5 for number in range(30)}
USAGE = usage(*[process_sample(cmdline="/usr/bin/renderer --threads 2 scene " * 5)] * 40)
HOST = messages.render_host(host_sample(), HostCondition()).SerializeToString()


def compose(frame: Frame, end: FrameEnd) -> bytes:
    """A report as an agent makes it, of a frame of many processes: 12 KiB."""
    frame.usage = USAGE
    told = messages.running_frame(messages.facts_of(frame)).SerializeToString()
    return messages.completion(HOST, told, end)


class WeekendTests(SynchronousTestCase):
    """60 hours."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.place.change(compose=compose)
        self.clock = self.place.reactor
        self.error: Exception | None = unavailable()
        self.tries = 0
        self.taken: list[str] = []
        slow = backoff(GrpcSettings(), at_most=60.0)
        self.outbox = Outbox(
            reactor=self.clock,
            send=self.send,
            fetch=self.fetch,
            settle=self.place.roster.settled,
            probe_backoff=backoff(GrpcSettings(), at_most=LONGEST_PROBE),
            refusal_backoff=slow,
        )
        self.addCleanup(self.outbox.stop)
        self.place.roster._post = self.outbox.post
        self.events: list[str] = []

    def send(self, report: bytes) -> Deferred[bytes]:
        """Cuebot, there or not."""
        self.tries += 1
        if self.error is not None:
            return fail(self.error)
        self.taken.append(report_pb2.FrameCompleteReport.FromString(report).frame.frame_id)
        return succeed(b"")

    def fetch(self, keys: list[str]) -> Deferred[list[bytes | Exception]]:
        return execute(reports, [self.place.site.records.files(key).record for key in keys])

    def say(self, event: LogEvent) -> None:
        text = formatEvent(event)
        if "completion" in text:
            self.events.append(text)

    def frames_end(self, number: int, seconds: float) -> None:
        """So many frames end one after the other, in all this time."""
        for count in range(number):
            if not count % 100:
                gc.collect()  # what is held counts, not what another test lets lie
            name = f"frame-{len(self.names)}"
            self.names.append(name)
            self.place.launch(
                frame_id=name, job_name=name, environment=ENVIRONMENT, request=bytes(2500)
            )
            self.place.turn()
            self.place.process.begin()
            self.place.process.end(0)
            self.place.turn()
            for fake in (self.place.logs.logs, self.place.logs.owners, self.clock.spawned):
                fake.clear()
            self.clock.pump([LONGEST_PROBE] * int(seconds / number / LONGEST_PROBE))

    def goes_by(self, seconds: float, number: int) -> int:
        """Time in which so many frames end; return the bytes that this costs in memory."""
        self.names: list[str] = []
        self.frames_end(3, 60.0)
        globalLogPublisher.addObserver(self.say)
        self.addCleanup(globalLogPublisher.removeObserver, self.say)
        gc.collect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.frames_end(number - 3, seconds)
        gc.collect()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertEqual((self.outbox.waiting, self.outbox.late), (number, number))
        return most

    def is_back(self) -> float:
        """Cuebot is back; return how long it takes to tell it all, in seconds of real time."""
        began = time.monotonic()
        self.error = None
        while self.outbox.waiting:
            self.clock.advance(LONGEST_PROBE)
        return time.monotonic() - began

    def assert_in_order(self) -> None:
        """All were taken once, in order of ending but for the one that found Cuebot back.

        That may be another than the oldest: now and then the next in turn is tried in its stead.
        """
        first, *rest = self.taken
        self.assertEqual(rest, [name for name in self.names if name != first])

    def test_away(self) -> None:
        """Memory is bounded, nothing grows by trying; then all are taken, in order of ending."""
        most = self.goes_by(WEEKEND, COMPLETIONS)
        self.assertLess(most, IN_MEMORY + COMPLETIONS * EACH + SLACK)
        records = [name for name in self.place.left() if name.endswith(".record")]
        self.assertEqual(len(records), COMPLETIONS)
        tries = self.tries
        took = self.is_back()
        self.assertLess(took, 60.0)
        self.assert_in_order()
        self.clock.advance(1)
        self.assertEqual([name for name in self.place.left() if "frame-" in name], [])
        self.assertEqual(len(self.events), 1)  # the other line came before
        self.assertIn(f"again waiting={COMPLETIONS - 1}", self.events[0])
        sys.stderr.write(
            f"\n{COMPLETIONS} completions: {most / 2**20:.1f} MiB at most, {tries} tries in vain,"
            f" told in {took:.1f} s\n"
        )

    def test_errors(self) -> None:
        """So it is with a Cuebot that answers with errors, but the one that finds out is first."""
        self.error = CuebotError("INTERNAL", "the database is away", "cuebot:8443")
        number = COMPLETIONS // 2
        most = self.goes_by(NIGHT, number)
        self.assertLess(most, IN_MEMORY + number * EACH + SLACK)
        self.is_back()
        self.assert_in_order()
