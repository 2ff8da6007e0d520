"""How frames in containers end: what their chain files tell, and where those fail, the engine."""

from __future__ import annotations

import signal
from typing import NamedTuple, cast

from rqd.containers.container import Container
from rqd.containers.containers import Containers
from rqd.containers.interface import EngineAway, EngineRefused, Facts
from rqd.frame import texts
from rqd.frame.accounted import NEVER_STARTED, Accounted
from rqd.frame.exits import ChainReport, Exit, read_chain
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import CouldNotStart

#: Seconds that an end waits for what the engine knows of it.
WITNESS_PATIENCE = 15.0
_BY_KILL = Exit(1, signal.SIGKILL)


class Account(NamedTuple):
    """What a container's chain file says: ``peak`` in bytes, 0 for unknown."""

    report: ChainReport
    oom_kills: int
    peak: int


def read_account(text: bytes | None) -> Account:
    """Parse a chain file, None for none."""
    report = read_chain(text)
    numbers = {"oom": 0, "peak": 0}
    said = []
    for line in report.said.splitlines():
        word, _, number = line.partition(" ")
        if word in numbers and number.isascii() and number.isdigit():
            numbers[word] = max(numbers[word], int(number[:18]))
        else:
            said.append(line)
    return Account(report._replace(said="\n".join(said)), numbers["oom"], numbers["peak"])


class InContainer(Accounted):
    """What the end of a container tells, beyond its chain file."""

    _oom_kills = _peak = 0
    _facts: Facts | None = None

    @property
    def _container(self) -> Container:
        return cast(Container, self.berth)

    @property
    def _containers(self) -> Containers:
        raise NotImplementedError

    async def _account(self) -> ChainReport:
        """The engine is asked where the chain file tells no end, or of no start."""
        report = await super()._account()
        if report.exit is not None and report.started:
            return report
        self._facts = await self._witness()
        if report.started and self._facts is not None and self._facts.oom_killed:
            self._oom_kills = 1
            return report._replace(exit=_BY_KILL)
        return report

    def _read_account(self, text: bytes | None) -> ChainReport:
        account = read_account(text)
        self._oom_kills, self._peak = account.oom_kills, account.peak
        return account.report

    async def _witness(self) -> Facts | None:
        """None where there is no such container, or the engine doesn't tell in time."""
        asked = self._containers.witness(self._container)
        try:
            facts: Facts | None = await within(asked, WITNESS_PATIENCE, reactor=self._site.reactor)
        except TooLate:
            asked.addErrback(lambda _: None)
            return None
        except (EngineAway, EngineRefused):
            return None
        return facts

    def _leave_berth(self) -> None:
        """No other frame gets the container; its chain file goes with the record."""
        if self.berth is not None and not self._swept:
            self._containers.discard(self._container)

    def _is_oom_kill(self, ended: Exit) -> bool:
        """Its own kills are counted: what the kernel killed elsewhere is not its affair."""
        return ended.failed and self._oom_kills > 0

    def _unless_by_kernel(self, ended: Exit) -> Exit:
        told = super()._unless_by_kernel(ended)
        if told is not ended and self._peak:
            self._remarks += (self._peak_told(),)
        return told

    def _peak_told(self) -> str:
        return (
            f"its container used {self._peak / (1 << 30):.2f} GiB at its highest, of"
            f" {texts.gib(self.spec.hard_memory_limit)} that it may"
        )

    async def _judge(self, account: ChainReport, ended: Exit | None) -> Exit:
        if ended is None and self._kill is None:
            if account.there and not account.started:
                raise CouldNotStart(self._why_not(account))
            vanished = await super()._judge(account, ended)
            self.explanation = self._how_gone()
            return vanished
        return await super()._judge(account, ended)

    def _why_not(self, account: ChainReport) -> str:
        if account.said or self._facts is None:
            return account.said or NEVER_STARTED
        error = self._facts.error or "does the image have /bin/sh?"
        return (
            f"the command's shell never took over, the container ended with exit status"
            f" {self._facts.exit_code}: {error}"
        )

    def _how_gone(self) -> str:
        if self._facts is None:
            return "the container vanished: it was removed by somebody else, or its engine lost it"
        return (
            "the container was ended from outside: stopped or killed by somebody else, or with its"
            f" engine (exit status {self._facts.exit_code})"
        )
