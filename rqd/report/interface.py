"""The three calls of ``report.RqdReportInterface``, each with its deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from rqd.proto import report_pb2
from rqd.report import wire

if TYPE_CHECKING:
    from rqd.report.cuebot import CuebotClient

_SERVICE = "/report.RqdReportInterface/"
#: Cuebot registers the host before it answers.
_STARTUP_TIMEOUT = 30.0
#: Cuebot only queues a status. It is as patient with the agent as the agent with it here.
_STATUS_TIMEOUT = 10.0
_HOST_REPORT = report_pb2.RqdReportStatusRequest.HOST_REPORT_FIELD_NUMBER
_REPORT = report_pb2.RqdReportRunningFrameCompletionRequest.FRAME_COMPLETE_REPORT_FIELD_NUMBER


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

    def status(self, report: bytes) -> Deferred[bytes]:
        """Send a serialised HostReport."""
        return self._client.call(
            _SERVICE + "ReportStatus", wire.field(_HOST_REPORT, report), _STATUS_TIMEOUT
        )

    def completion(self, report: bytes) -> Deferred[bytes]:
        """Send a serialised FrameCompleteReport, as the outbox and the disk keep it: byte for byte.

        It is not parsed for that. A process orders maps its own way, and it may be long.
        """
        return self._client.call(
            _SERVICE + "ReportRunningFrameCompletion",
            wire.field(_REPORT, report),
            self._completion_timeout,
        )
