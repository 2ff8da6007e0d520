"""Trouble with Cuebot, said once when it begins and once when it is over."""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.connection import CuebotError


class Outage:
    """Speaks for one kind of report, so that hours without Cuebot are two lines in the log."""

    log = Logger()

    def __init__(self, what: str, waiting: Callable[[], int] | None = None) -> None:
        """``what`` names the reports in the log, in the plural; ``waiting`` counts them."""
        self._what = what
        self._waiting = waiting
        self._on = False

    def failed(self, failure: Failure) -> None:
        """A report failed: say so if this is news. It will be tried again."""
        if self._on:
            return
        self._on = True
        error = failure.check(CuebotError) and failure.value
        if isinstance(error, CuebotError):
            self.log.warn(
                "Cuebot does not take {what}, trying on{waiting} code={code} endpoint={endpoint}"
                " detail={detail}",
                what=self._what,
                waiting=self._how_many(),
                code=error.code,
                endpoint=error.endpoint,
                detail=error.detail,
            )
        else:
            self.log.failure("sending {what} failed, trying on", failure, what=self._what)

    def answered(self) -> None:
        """A report was taken: say so if the last thing said was trouble."""
        if self._on:
            self._on = False
            self.log.info(
                "Cuebot takes {what} again{waiting}", what=self._what, waiting=self._how_many()
            )

    def _how_many(self) -> str:
        return "" if self._waiting is None else f" waiting={self._waiting()}"
