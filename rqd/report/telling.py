"""The reports of this host, built from the newest facts at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from twisted.internet.interfaces import IReactorTime

from rqd.frame.exits import FrameEnd
from rqd.log import Logger
from rqd.proto import report_pb2
from rqd.report import messages
from rqd.report.messages import FrameFacts
from rqd.report.retelling import Retelling
from rqd.system.condition import HostCondition
from rqd.system.gpus import GpuTotals
from rqd.system.host import HostSample
from rqd.system.reservations import CoreCounts

#: Age up to which a completion repeats what was last known of the host, seconds: many frames may
#: end within a second, and looking at the host costs more than a report.
HOST_AGE = 1.0
#: Frames that are put into words in one turn of the reactor; each takes some 10 µs.
AT_ONCE = 64


class Telling:
    """Makes reports. Where the facts come from is quick, and used on the reactor only."""

    log = Logger()

    def __init__(
        self,
        *,
        clock: IReactorTime,
        sample: Callable[[], HostSample],
        condition: Callable[[], HostCondition],
        gpus: Callable[[], GpuTotals],
        counts: Callable[[], CoreCounts],
        frames: Callable[[], Iterable[FrameFacts]],
        completions: Callable[[], int],
    ) -> None:
        """``completions`` counts those that wait for Cuebot."""
        self._clock = clock
        self._sample = sample
        self._condition = condition
        self._gpus = gpus
        self._counts = counts
        self._frames = frames
        self._completions = completions
        self._retelling = Retelling()
        self._host = b""
        self._host_at = float("-inf")
        self._host_in: HostCondition | None = None

    def boot(self) -> report_pb2.BootReport:
        return messages.boot_report(self._newest_host(), messages.core_detail(self._counts()))

    def status(self) -> bytes:
        """A HostReport, serialised."""
        counts = messages.core_detail(self._counts())
        host, waiting = self._newest_host(), self._completions()
        return messages.host_report(host, self._retelling.tell(self._frames()), counts, waiting)

    def renew(self) -> None:
        """Put what frames were just seen to use into words, some at a time.

        All at once, for the next report, would hold up the reactor.
        """
        self._renew_some(iter(tuple(self._frames())))

    def _renew_some(self, frames: Iterator[FrameFacts]) -> None:
        if self._retelling.renew(islice(frames, AT_ONCE)) == AT_ONCE:
            self._clock.callLater(0, self._renew_some, frames)

    def completion(self, frame: FrameFacts, end: FrameEnd) -> bytes:
        """Serialised: it is kept on disk and sent again and again as the same bytes.

        Cuebot judges an end by the host's condition in it, so that is never an old one.
        """
        old = self._clock.seconds() - self._host_at > HOST_AGE
        if old or self._condition() != self._host_in:
            try:
                self._newest_host()
            except (OSError, ValueError):
                self.log.failure("host can't be read, a completion tells what was known last")
        return messages.completion(self._host, self._retelling.one(frame), end)

    def _newest_host(self) -> report_pb2.RenderHost:
        condition = self._condition()
        host = messages.render_host(self._sample(), condition, self._gpus())
        self._host = host.SerializeToString()
        self._host_at, self._host_in = self._clock.seconds(), condition
        return host
