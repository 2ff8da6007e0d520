"""The reports of this host, built from the newest facts at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rqd.frame.exits import FrameEnd
from rqd.proto import report_pb2
from rqd.report import messages
from rqd.report.messages import FrameFacts
from rqd.system.condition import HostCondition
from rqd.system.host import HostSample
from rqd.system.reservations import CoreCounts


@dataclass(frozen=True, slots=True)
class Telling:
    """Where the facts come from; all of these are quick and on the reactor."""

    sample: Callable[[], HostSample]
    condition: Callable[[], HostCondition]
    counts: Callable[[], CoreCounts]
    frames: Callable[[], Iterable[FrameFacts]]

    def host(self) -> report_pb2.RenderHost:
        return messages.render_host(self.sample(), self.condition())

    def boot(self) -> report_pb2.BootReport:
        return messages.boot_report(self.host(), messages.core_detail(self.counts()))

    def status(self) -> report_pb2.HostReport:
        frames = map(messages.running_frame, self.frames())
        return messages.host_report(self.host(), frames, messages.core_detail(self.counts()))

    def completion(self, frame: FrameFacts, end: FrameEnd) -> bytes:
        """Serialised: it is kept on disk and sent again and again as the same bytes."""
        return messages.completion(self.host(), frame, end).SerializeToString()
