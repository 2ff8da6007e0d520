"""Jobs and reports for the tests here."""

from __future__ import annotations

from typing import Any

from dummy_cuebot.job import Expectation, Job, Layer
from dummy_cuebot.reports import COMPLETION, Report
from rqd.proto import report_pb2


def a_layer(name: str = "render", **changes: Any) -> Layer:
    """One frame of one core that is to end with 0."""
    values: dict[str, Any] = {
        "first": 1,
        "last": 1,
        "chunk": 1,
        "cores": 100,
        "memory": 262144,
        "threadable": False,
        "retries": 0,
        "after": (),
        "environment": {},
        "command": "true",
        "kill_after": None,
        "expect": Expectation(),
    }
    return Layer(name=name, **{**values, **changes})


def a_job(*layers: Layer) -> Job:
    return Job("j", "show", "shot", "artist", 1001, "/logs", layers)


def a_host_report(name: str = "host1", cores: int = 400, **counts: int) -> Any:
    """A HostReport; counts of ``report.CoreDetail`` in points."""
    return report_pb2.HostReport(
        host=report_pb2.RenderHost(name=name, total_mem=1 << 20),
        core_info=report_pb2.CoreDetail(total_cores=cores, **counts),
    )


def a_completion(
    resource_id: str, status: int = 0, signal: int = 0, *, host: str = "host1", **frame: Any
) -> Report:
    message = report_pb2.FrameCompleteReport(
        host=report_pb2.RenderHost(name=host),
        frame=report_pb2.RunningFrameInfo(resource_id=resource_id, **frame),
        exit_status=status,
        exit_signal=signal,
    )
    return Report(COMPLETION, 0.0, "ipv4:192.0.2.1:1", message)
