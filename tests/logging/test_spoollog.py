"""A followed log: when jobs are given, what happens to errors and hangs. Real files, no threads."""

from __future__ import annotations

import os
import re

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.logging.framelogs import FrameLogs
from rqd.logging.interfaces import LogUnavailable
from rqd.logging.mounttable import MountTable
from rqd.logging.spoollog import FAR_BEHIND, JOB, RETRY_FIRST, SILENCE
from rqd.logging.watching import PACE_FIRST, PACE_LAST, POLL
from tests.logging.seams import InlineWorkers, StandInWakeups

MORE = FAR_BEHIND + 1


class SpoolLogTests(SynchronousTestCase):
    """``SpoolLog`` as ``FrameLogs`` makes it."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.workers = InlineWorkers()
        self.wakeups = StandInWakeups()
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.path = os.path.join(self.folder, "logs", "log")
        self.spool = os.path.join(self.folder, "spool")
        self.files = {
            "spool_path": self.spool,
            "checkpoint_path": os.path.join(self.folder, "checkpoint"),
            "owner": None,
            "too_big": lambda: None,
        }
        table = MountTable()
        self.addCleanup(table.close)
        self.logs = FrameLogs(
            reactor=self.clock,
            workers=self.workers,
            wakeups=self.wakeups,
            table=table,
            blanks=Blanks(self.folder),
            max_size=0,
            spools_hang=lambda: self.spools_hang,
        )
        self.spools_hang = False
        self.warnings: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.write(b"")

    def observe(self, event) -> None:
        if event.get("log_level") == LogLevel.warn:
            self.warnings.append(event["log_format"])

    def open(self):
        log = self.successResultOf(self.logs.open(self.path, b"header\n", **self.files))
        log.start()
        return log

    def write(self, text: bytes) -> None:
        with open(self.spool, "ab") as file:
            file.write(text)

    def text(self) -> bytes:
        with open(self.path, "rb") as file:
            return re.sub(rb"(?m)^\[[\d:]{8}\] ", b"", file.read())

    def break_folder(self) -> None:
        """Put a file where the log's folder was, so that nothing can be opened."""
        os.rename(self.folder + "/logs", self.folder + "/away")
        with open(self.folder + "/logs", "w"):
            pass

    def mend_folder(self) -> None:
        os.unlink(self.folder + "/logs")
        os.rename(self.folder + "/away", self.folder + "/logs")

    def test_quiet_frame(self) -> None:
        """A frame that prints nothing costs two jobs: the opening and the end."""
        log = self.open()
        self.clock.advance(1000)
        self.successResultOf(log.close(b"footer\n"))
        self.assertEqual(self.workers.done, 2)
        self.assertEqual(self.text(), b"header\nfooter\n")

    def test_a_line_now_and_then(self) -> None:
        """A line after a pause is in the log at once, by one job, and no file stays open."""
        self.open()
        before = len(os.listdir("/proc/self/fd"))
        for number in range(3):
            self.write(b"%d\n" % number)
            self.wakeups.fire()
            self.assertTrue(self.text().endswith(b"%d\n" % number))
            self.clock.advance(10)
        self.assertEqual(self.workers.done, 1 + 3)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_talkative(self) -> None:
        """While output goes on there is one job a look, then one that closes the files."""
        self.open()
        before = len(os.listdir("/proc/self/fd"))
        self.write(b"line\n")
        self.wakeups.fire()
        for _ in range(9):
            self.write(b"line\n")
            self.clock.advance(PACE_LAST)
        self.assertGreater(len(os.listdir("/proc/self/fd")), before)
        jobs = self.workers.done
        self.clock.advance(PACE_LAST)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.workers.done, jobs + 1)
        self.assertEqual(self.text(), b"header\n" + b"line\n" * 10)

    def test_far_behind(self) -> None:
        """A log that is far behind doesn't wait for the next look."""
        self.open()
        self.write(b"x" * (2 * JOB + MORE))
        self.wakeups.fire()
        self.assertEqual(len(self.text()), len(b"header\n") + 2 * JOB + MORE)
        self.assertEqual(self.workers.done, 1 + 3)

    def test_one_job_at_a_time(self) -> None:
        """While a job hangs there is no second one; what came meanwhile follows."""
        log = self.open()
        self.workers.held = True
        self.write(b"one\n")
        self.wakeups.fire()
        for _ in range(20):
            self.write(b"more\n")
            self.clock.advance(PACE_LAST)
        self.assertEqual(len(self.workers.waiting), 1)
        self.assertEqual(log.size, 104)
        self.workers.release()
        self.clock.advance(PACE_LAST)
        self.assertEqual(self.text(), b"header\none\n" + b"more\n" * 20)

    def test_close_while_hung(self) -> None:
        """A close waits for the hanging job, then completes the log."""
        log = self.open()
        self.workers.held = True
        self.write(b"one\n")
        self.wakeups.fire()
        self.write(b"two")
        closed = log.close(b"footer\n")
        self.assertNoResult(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.workers.release()
        self.successResultOf(closed)
        self.assertEqual(self.text(), b"header\none\ntwo\nfooter\n")

    def test_tail_while_hung(self) -> None:
        """The last lines come from the spool, whatever the log's file system does."""
        log = self.open()
        self.workers.held = True
        self.write(b"one\ntwo\n")
        self.assertEqual(self.successResultOf(log.tail(1)), b"two\n")

    def test_end_while_spools_hang(self) -> None:
        """A log whose spool can't be looked at is finished later, with all that was printed."""
        log = self.open()
        self.spools_hang = True
        self.write(b"one\n")
        closed = log.close(b"footer\n")
        log.late()
        self.clock.pump([POLL] * 5)
        self.assertNoResult(closed)
        self.spools_hang = False
        self.clock.advance(POLL)
        self.successResultOf(closed)
        self.assertTrue(self.text().endswith(b"one\nfooter\n"))
        self.assertEqual(self.warnings, [])

    def test_silence_is_said_once(self) -> None:
        """A file system that doesn't answer is worth one line in the agent's log."""
        self.open()
        self.workers.held = True
        for _ in range(100):
            self.write(b"x")
            self.wakeups.fire()
            self.clock.advance(SILENCE / 4)
        self.assertEqual(len(self.warnings), 1)

    def test_error_is_retried(self) -> None:
        """An error is said once, tried again ever more rarely, and nothing is lost."""
        log = self.open()
        self.break_folder()
        for number in range(200):
            self.write(b"%d\n" % number)
            self.wakeups.fire()
            self.clock.advance(1)
        self.assertEqual(len(self.warnings), 1)
        self.assertLess(self.workers.done, 20)
        self.mend_folder()
        self.clock.advance(60)
        self.assertTrue(self.text().endswith(b"\n199\n"))
        self.successResultOf(log.close(b"footer\n"))
        self.assertEqual(len(self.text().splitlines()), 202)

    def test_close_tries_at_once(self) -> None:
        """A close doesn't wait for the next retry, and goes on retrying itself."""
        log = self.open()
        self.break_folder()
        self.write(b"one\n")
        self.wakeups.fire()
        closed = log.close(b"footer\n")
        self.assertNoResult(closed)
        self.mend_folder()
        self.clock.advance(2 * RETRY_FIRST)
        self.successResultOf(closed)
        self.assertEqual(self.text(), b"header\none\nfooter\n")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_close_of_a_log_that_was_never_opened(self) -> None:
        """A frame that ended before its log could be opened has a log when it can be."""
        with open(self.folder + "/logs", "w"):
            pass
        log, opened = self.logs.begin(self.path, b"header\n", **self.files)
        self.failureResultOf(opened, LogUnavailable)
        self.write(b"one\n")
        closed = log.close(b"footer\n")
        os.unlink(self.folder + "/logs")
        self.clock.advance(RETRY_FIRST)
        self.successResultOf(closed)
        self.assertEqual(self.text(), b"header\none\nfooter\n")

    def test_refused_log_is_left_alone(self) -> None:
        """A log that can't be opened and was not started is not tried again."""
        with open(self.folder + "/logs", "w"):
            pass
        opening = self.logs.open(self.path, b"header\n", **self.files)
        self.failureResultOf(opening, LogUnavailable)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_impossible_names(self) -> None:
        """A name that no file can have is refused with a sentence, not with a traceback."""
        for name in ("a\0b", "x" * 300, "\ud800"):
            path = os.path.join(self.folder, name)
            opening = self.logs.open(path, b"header\n", **self.files)
            self.failureResultOf(opening, LogUnavailable)

    def test_truncated_while_a_job_hangs(self) -> None:
        """A spool that begins anew while a job is under way is copied from its start."""
        log = self.open()
        self.write(b"first\n")
        self.wakeups.fire()
        self.workers.held = True
        self.write(b"lost\n")
        self.clock.advance(PACE_FIRST)
        os.truncate(self.spool, 0)
        self.write(b"new\n")
        self.clock.advance(PACE_LAST)
        self.workers.release()
        self.successResultOf(log.close(b"footer\n"))
        self.assertEqual(self.text(), b"header\nfirst\nnew\nfooter\n")

    def test_truncated_while_no_agent_lives(self) -> None:
        """A spool that began anew meanwhile is copied from its start."""
        log = self.open()
        self.write(b"first, and long\n")
        self.wakeups.fire()
        log.leave()
        os.truncate(self.spool, 0)
        self.write(b"new\n")
        log = self.successResultOf(self.logs.resume(self.path, b"header\n", **self.files))
        log.start()
        self.write(b"more\n")
        self.successResultOf(log.close(b"footer\n"))
        self.assertEqual(self.text(), b"header\nfirst, and long\nnew\nmore\nfooter\n")

    def test_leave(self) -> None:
        """A log that is left has no timers, no watches and no open files."""
        log = self.open()
        before = len(os.listdir("/proc/self/fd"))
        self.write(b"x")
        self.wakeups.fire()
        for _ in range(5):
            self.write(b"x")
            self.clock.advance(PACE_LAST)
        log.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.wakeups.armed, {})
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
