"""The startup report: once at each start, tried for as long as it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.report.backoff import Backoff
from rqd.report.outage import Outage

if TYPE_CHECKING:
    from rqd.proto.report_pb2 import BootReport

_log = Logger()


async def announce(
    *,
    reactor: IReactorTime,
    build: Callable[[], BootReport],
    send: Callable[[BootReport], Deferred[Any]],
    backoff: Backoff,
) -> None:
    """Return once Cuebot took the startup report. Cancelling is the way to stop it.

    ``build`` makes the report afresh for each attempt: after an hour without Cuebot it should
    tell of the host as it is then.
    """
    outage = Outage("startup reports")
    failures = 0
    while True:
        try:
            await send(build())
        except CancelledError:
            raise
        except Exception:
            failures += 1
            outage.failed(Failure())
            await deferLater(reactor, backoff(failures))
        else:
            outage.answered()
            _log.info("Cuebot took the startup report attempts={attempts}", attempts=failures + 1)
            return
