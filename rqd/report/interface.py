"""The three calls of ``report.RqdReportInterface``, each with its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from rqd.proto import report_pb2

if TYPE_CHECKING:
    from rqd.report.cuebot import CuebotClient

_SERVICE = "/report.RqdReportInterface/"
#: Cuebot registers the host before it answers.
_STARTUP_TIMEOUT = 30.0
#: Cuebot only queues a status. It is as patient with the agent as the agent with it here.
_STATUS_TIMEOUT = 10.0
#: How ``frame_complete_report`` begins in its request: field 1, of a length that follows.
_REPORT = b"\x0a"


class ReportInterface:
    """Sends reports. Each result fires once Cuebot took the report, or fails with CuebotError."""

    def __init__(self, client: CuebotClient, *, completion_timeout: float) -> None:
        """``completion_timeout`` is the deadline of one completion, seconds."""
        self._client = client
        self._completion_timeout = completion_timeout

    def startup(self, report: report_pb2.BootReport) -> Deferred[bytes]:
        request = report_pb2.RqdReportRqdStartupRequest(boot_report=report)
        return self._client.call(
            _SERVICE + "ReportRqdStartup", request.SerializeToString(), _STARTUP_TIMEOUT
        )

    def status(self, report: report_pb2.HostReport) -> Deferred[bytes]:
        request = report_pb2.RqdReportStatusRequest(host_report=report)
        return self._client.call(
            _SERVICE + "ReportStatus", request.SerializeToString(), _STATUS_TIMEOUT
        )

    def completion(self, report: bytes) -> Deferred[bytes]:
        """Send a serialised FrameCompleteReport, as the outbox and the disk keep it: byte for byte.

        It is not parsed for that. A process orders maps its own way, and it may be long.
        """
        return self._client.call(
            _SERVICE + "ReportRunningFrameCompletion",
            b"".join((_REPORT, _varint(len(report)), report)),
            self._completion_timeout,
        )


def _varint(number: int) -> bytes:
    """As protobuf writes lengths: seven bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
