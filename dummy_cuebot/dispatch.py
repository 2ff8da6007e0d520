"""The scheduler: books frames on hosts, and the next ones at each completion.

All of it happens in the reactor's thread, driven by reports and by answers to calls; nothing is
polled. What it says to an agent, and what it does with refusals, is what a Cuebot does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from dummy_cuebot.booking import Booker
from dummy_cuebot.client import code_of
from dummy_cuebot.hosts import Agent, Host
from dummy_cuebot.ids import new_id
from dummy_cuebot.job import Layer
from dummy_cuebot.reports import COMPLETION, STATUS, Report
from dummy_cuebot.schedule import Frame, Schedule, State

# Seconds before a host that refused a launch is offered another frame.
PAUSE = 0.5
# Seconds that killed frames have to end when the job is stopped: more than an agent's grace.
STOP_PATIENCE = 40.0
STOPPED = "the job was stopped"

# Asking again, or elsewhere, can't help. After all other refusals the frame waits again.
_HOPELESS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)
# The agent may have started the frame, so it is killed before it is given to another host.
_OUTCOME_UNKNOWN = (
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
)


@dataclass(eq=False, slots=True)
class Attempt:
    """One launch of a frame, from the request until its end is known."""

    frame: Frame
    host: Host
    resource_id: str
    kill: IDelayedCall | None = None


class Dispatch:
    """Runs one job. ``tell`` takes a sentence about what was decided.

    ``finished`` fires with None once every frame has ended or can't start any more.
    """

    def __init__(
        self,
        schedule: Schedule,
        booker: Booker,
        *,
        reactor: IReactorTime,
        tell: Callable[[str], None],
    ) -> None:
        self.schedule = schedule
        self.finished: Deferred[None] = Deferred()
        self._booker = booker
        self._reactor = reactor
        self._tell = tell
        self._hosts: dict[str, Host] = {}
        self._attempts: dict[str, Attempt] = {}
        self._launched: set[str] = set()
        self._stopping = False
        self._stuck = ""

    def add_host(self, agent: Agent, report: Any) -> None:
        """A host to book on; ``report`` is the HostReport that it answered."""
        self._hosts[report.host.name] = Host(agent, report, self._launched)
        self._book()

    def take(self, report: Report) -> None:
        """A report from any host; those of strangers are none of our business."""
        host = self._hosts.get(report.message.host.name)
        if report.kind == COMPLETION and not report.refused:
            self._completed(report.message)
        elif report.kind == STATUS and host:
            host.refresh(report.message, self._launched)
            self._book()

    def stop(self) -> Deferred[None]:
        """Starts nothing more and kills what runs; fires once that has ended, or never will."""
        self._stopping = True
        for attempt in tuple(self._attempts.values()):
            self._kill(attempt, STOPPED)
        self._finish_if_done()
        if self.finished.called:
            return succeed(None)
        ended: Deferred[None] = Deferred()
        self.finished.addBoth(lambda _: ended.callback(None))
        return ended.addTimeout(STOP_PATIENCE, self._reactor).addErrback(self._left_running)

    # Booking

    def _book(self) -> None:
        """Fills the idle cores, layers in the order of the file, each on the idlest host."""
        if not self._stopping:
            for layer in tuple(self.schedule.open_layers()):
                for _ in range(self.schedule.waiting(layer)):
                    host = self._host_for(layer)
                    if host is None:
                        break
                    self._launch(self.schedule.start(layer), host)
            self._tell_if_stuck()
        self._finish_if_done()

    def _host_for(self, layer: Layer) -> Host | None:
        fitting = (host for host in self._hosts.values() if host.takes(layer.cores))
        return max(fitting, key=lambda host: host.idle, default=None)

    def _launch(self, frame: Frame, host: Host) -> None:
        attempt = Attempt(frame, host, new_id())
        self._attempts[attempt.resource_id] = attempt
        self._launched.add(attempt.resource_id)
        host.book(frame.layer.cores)
        request = self._booker.request(frame, attempt.resource_id)
        answer = host.agent.launch(request)
        answer.addCallbacks(
            lambda _: self._started(attempt), lambda why: self._refused(attempt, why)
        )

    def _started(self, attempt: Attempt) -> None:
        if attempt.resource_id not in self._attempts:
            return  # its completion has overtaken the answer
        seconds = attempt.frame.layer.kill_after
        if self._stopping:
            # The kill may have overtaken the launch, and then found no frame.
            self._kill(attempt, STOPPED)
        elif seconds is not None:
            reason = f"the job file kills this frame after {seconds:g} s"
            attempt.kill = self._reactor.callLater(seconds, self._kill, attempt, reason)

    def _refused(self, attempt: Attempt, failure: Failure) -> None:
        """A launch that failed. Its completion may have overtaken the answer: then all is said."""
        code = code_of(failure)
        if not self._forget(attempt):
            return
        if code in _HOPELESS:
            self.schedule.give_up(attempt.frame, str(failure.value))
        else:
            self._tell(f"{attempt.frame.name} waits again: {failure.value}")
            self.schedule.put_back(attempt.frame)
            self._pause(attempt.host)
        if code in _OUTCOME_UNKNOWN:
            self._kill(attempt, "the launch was not answered")
        self._book()

    def _pause(self, host: Host) -> None:
        def resume() -> None:
            host.paused = False
            self._book()

        if not host.paused:
            host.paused = True
            self._reactor.callLater(PAUSE, resume)

    # Ends

    def _completed(self, completion: Any) -> None:
        """An unknown or repeated one changes nothing, as at a Cuebot."""
        attempt = self._attempts.get(completion.frame.resource_id)
        if attempt is None or not self._forget(attempt):
            return
        frame, status, signal = attempt.frame, completion.exit_status, completion.exit_signal
        state = self.schedule.ended(frame, status, signal, completion.frame.max_rss)
        self._book()
        if state is State.WAITING:
            self._tell(f"{frame.name} is tried again, {frame.retries_left} retries left")

    def _forget(self, attempt: Attempt) -> bool:
        """Gives the attempt's cores back; False if that was done before."""
        if self._attempts.pop(attempt.resource_id, None) is None:
            return False
        if attempt.kill and attempt.kill.active():
            attempt.kill.cancel()
        attempt.host.release(attempt.frame.layer.cores)
        return True

    def _kill(self, attempt: Attempt, reason: str) -> None:
        def failed(failure: Failure) -> None:
            if code_of(failure) is not grpc.StatusCode.NOT_FOUND:
                self._tell(f"{attempt.frame.name} could not be killed: {failure.value}")

        self._tell(f"{attempt.frame.name} is killed: {reason}")
        attempt.host.agent.kill(attempt.frame.frame_id, reason).addErrback(failed)

    def _finish_if_done(self) -> None:
        done = self.schedule.finished or (self._stopping and not self._attempts)
        if done and not self.finished.called:
            self.finished.callback(None)

    def _left_running(self, failure: Failure) -> None:
        names = ", ".join(attempt.frame.name for attempt in self._attempts.values())
        self._tell(f"gave up waiting for the end of {names}")

    def _tell_if_stuck(self) -> None:
        """Says once what the job waits for when it could go on but no host has the cores."""
        layer = next(self.schedule.open_layers(), None)
        if layer is None or self.schedule.running or not self._hosts:
            return
        idle = max(host.idle for host in self._hosts.values())
        stuck = f"layer {layer.name} waits for {layer.cores / 100:g} cores, {idle / 100:g} are idle"
        if stuck != self._stuck and idle < layer.cores:
            self._stuck = stuck
            self._tell(stuck)
