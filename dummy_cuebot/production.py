"""One run of a job: the dispatch, the agents it uses, and what the user sees of both."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from typing import Any

from twisted.internet.error import ReactorNotRunning

from dummy_cuebot.booking import Booker
from dummy_cuebot.colours import painter
from dummy_cuebot.dispatch import Dispatch
from dummy_cuebot.hosts import Agent
from dummy_cuebot.job import Job
from dummy_cuebot.remote import RemoteAgent
from dummy_cuebot.rendering import as_line
from dummy_cuebot.reports import COMPLETION, Report
from dummy_cuebot.roster import Roster
from dummy_cuebot.schedule import Schedule, State
from dummy_cuebot.screen import Screen, bar


class Production:
    """Where the parts of ``run-job`` meet. Stops the reactor at the end of the job.

    ``open`` it before the reactor runs, ``take`` reports in its thread, ``close`` it afterwards.
    """

    def __init__(self, job: Job, options: Namespace, *, reactor: Any) -> None:
        self._reactor = reactor
        self._timeout: float = options.timeout
        self._screen = Screen(sys.stdout)
        self._paint = painter(sys.stdout)
        self._schedule = Schedule(job)
        self._booker = Booker(job)
        self._began = self._ended = 0.0
        self._untold: list[str] = []
        self._dispatch = Dispatch(
            self._schedule, self._booker, reactor=reactor, tell=self._tell_later
        )
        self._roster = Roster(
            options.host,
            reactor=reactor,
            connect=lambda target: RemoteAgent(target, reactor=reactor),
            admit=self._admit,
            forsaken=lambda: self._abandon("no agent to run on"),
            tell=self._screen.line,
            patience=options.host_timeout,
            rqd_port=options.rqd_port,
        )

    def open(self, report_address: str) -> None:
        name, total = self._booker.job_name, self._schedule.total
        self._screen.line(f"{name}: {total} frames, reports to {report_address}")
        self._screen.line(f"logs in {self._booker.log_dir}")
        self._reactor.addSystemEventTrigger("before", "shutdown", self._dispatch.stop)
        self._dispatch.finished.addCallback(lambda _: self._leave())
        if self._timeout:
            self._reactor.callLater(self._timeout, self._abandon, "out of time")
        self._roster.open()

    def take(self, report: Report) -> None:
        """One report. The launch that it makes possible goes out before the terminal's line."""
        self._roster.reported(report.message.host.name)
        self._dispatch.take(report)
        if report.kind == COMPLETION:
            self._ended = self._reactor.seconds()
        self._screen.line(as_line(report, self._paint))
        self._show_progress()

    def close(self) -> int:
        """Prints the summary; the exit status."""
        self._roster.close()
        self._tell()
        self._screen.progress("")
        frames = self._schedule.frames
        done = sum(frame.state is State.DONE for frame in frames)
        dead = [frame for frame in frames if frame.state is State.DEAD]
        seconds = max(self._ended - self._began, 0.001)
        self._screen.line(
            f"{len(frames)} frames in {seconds:.2f} s: {done} as expected"
            f" ({done / seconds:.1f}/s), {len(dead)} not as expected,"
            f" {len(frames) - done - len(dead)} not run to the end"
        )
        for frame in dead:
            self._screen.line(f"  {self._paint(frame.name, 'bad')}: {frame.why}")
        return 0 if done == len(frames) else 1

    def _admit(self, agent: Agent, report: Any) -> None:
        self._began = self._began or self._reactor.seconds()
        self._dispatch.add_host(agent, report)
        cores = report.core_info.total_cores / 100
        self._screen.line(f"{report.host.name} at {agent.address} takes part, {cores:g} cores")

    def _tell_later(self, text: str) -> None:
        """Decisions are told once the report that led to them has its line."""
        self._untold.append(text)
        self._reactor.callLater(0, self._tell)

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for text in untold:
            self._screen.line(text)

    def _abandon(self, why: str) -> None:
        self._screen.line(self._paint(f"{why}: the job is stopped", "bad"))
        self._leave()

    def _leave(self) -> None:
        # A signal may have stopped it, and we came here on the way out.
        with contextlib.suppress(ReactorNotRunning):
            self._reactor.stop()

    def _show_progress(self) -> None:
        ended, total = self._schedule.ended_for_good, self._schedule.total
        self._screen.progress(bar(ended, total, f"{self._schedule.running} running"))
