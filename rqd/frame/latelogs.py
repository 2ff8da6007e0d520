"""Logs of frames that are over, brought to their end by a later agent: a few at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from twisted.internet.defer import Deferred, gatherResults

from rqd.frame import recall
from rqd.frame.adopted import ReportedFrame
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import END_PATIENCE
from rqd.frame.records import STATE
from rqd.frame.remains import Remains
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.log import Logger

#: How many at a time: thousands may wait, and a frame in memory is a thousand times its key.
AT_ONCE = 4

_log = Logger()


class LateLog(NamedTuple):
    """The log of a frame of which there is a record with a report."""

    key: str
    remains: Remains


async def finish_logs(
    logs: Iterable[LateLog],
    site: Site,
    *,
    parse: Callable[[bytes], FrameSpec],
    rests: Callable[[str, Remains], None],
) -> None:
    """Finish each; ``rests`` is told when nothing more happens to it."""
    waiting = deque(logs)

    async def finish_some() -> None:
        while waiting:
            finishing = Deferred.fromCoroutine(finish(waiting.popleft()))
            try:
                await within(finishing, END_PATIENCE, reactor=site.reactor)
            except TooLate:
                continue  # it hangs: the others do not wait for it

    async def finish(log: LateLog) -> None:
        try:
            await _finish(log.key, site, parse)
        except Exception as problem:  # whatever it is, the frame is over, and told
            _log.error("a log lacks its end key={key} reason={why}", key=log.key, why=problem)
        rests(log.key, log.remains)

    await gatherResults([Deferred.fromCoroutine(finish_some()) for _ in range(AT_ONCE)])


async def _finish(key: str, site: Site, parse: Callable[[bytes], FrameSpec]) -> None:
    record = site.records.files(key).record
    recorded = await site.workers.run_for(STATE, recall.recall, key, record)
    await ReportedFrame(recorded, parse(recorded.request), site).finish_log()
