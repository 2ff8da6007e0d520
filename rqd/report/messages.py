"""Facts to messages: the only place that fills what Cuebot is told (pure).

Sizes are KiB and cores are points, here as there. What a frame uses is put into words in
``statistics``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from rqd.frame.exits import COULD_NOT_START
from rqd.proto import report_pb2
from rqd.report import wire
from rqd.report.fields import int32, int64, text, texts
from rqd.report.statistics import statistics
from rqd.system.gpus import NO_GPUS, GpuTotals
from rqd.system.usage import EMPTY_USAGE, FrameUsage

if TYPE_CHECKING:
    from rqd.frame.exits import FrameEnd
    from rqd.frame.lifecycle import Frame
    from rqd.frame.spec import FrameSpec
    from rqd.system.condition import HostCondition
    from rqd.system.host import HostSample
    from rqd.system.reservations import CoreCounts


class FrameFacts(NamedTuple):
    """One frame as it is reported. Times in seconds since the epoch, 0 for never."""

    spec: FrameSpec
    started_at: float
    usage: FrameUsage = EMPTY_USAGE
    last_output: float = 0.0
    attributes: Mapping[str, str] = MappingProxyType({})


def facts_of(frame: Frame) -> FrameFacts:
    """A frame as the reports tell of it."""
    return FrameFacts(frame.spec, frame.started_at, frame.usage, frame.last_output)


def render_host(
    sample: HostSample, condition: HostCondition, gpus: GpuTotals = NO_GPUS
) -> report_pb2.RenderHost:
    return report_pb2.RenderHost(
        name=text(sample.name),
        facility=text(sample.facility),
        nimby_enabled=condition.nimby_enabled,
        nimby_locked=condition.nimby_locked,
        state=condition.state,
        num_procs=int32(sample.num_procs),
        cores_per_proc=int32(sample.cores_per_proc),
        total_swap=int64(sample.total_swap),
        free_swap=int64(sample.free_swap),
        total_mem=int64(sample.total_mem),
        free_mem=int64(sample.free_mem),
        total_mcp=int64(sample.total_mcp),
        free_mcp=int64(sample.free_mcp),
        load=int32(sample.load),
        boot_time=int32(sample.boot_time),
        tags=map(text, sample.tags),
        attributes=texts(sample.attributes) | _beside_the_state(condition),
        num_gpus=int32(gpus.count),
        free_gpu_mem=int64(gpus.free),
        total_gpu_mem=int64(gpus.total),
    )


def _beside_the_state(condition: HostCondition) -> dict[str, str]:
    """What the hardware state has no word for, or (of what waits for idle) only for a reboot."""
    told = {}
    if condition.waiting_for is not None:
        told["whenIdle"] = condition.waiting_for.value
    if condition.withheld:
        told["withheld"] = text(condition.withheld)
    return told


def core_detail(counts: CoreCounts) -> report_pb2.CoreDetail:
    return report_pb2.CoreDetail(
        total_cores=int32(counts.total),
        idle_cores=int32(counts.idle),
        locked_cores=int32(counts.locked),
        booked_cores=int32(counts.booked),
    )


def running_frame(frame: FrameFacts) -> report_pb2.RunningFrameInfo:
    """``resource_id`` is that of this launch: Cuebot drops what carries an earlier one."""
    spec, usage = frame.spec, frame.usage
    info = report_pb2.RunningFrameInfo(
        resource_id=text(spec.resource_id),
        job_id=text(spec.job_id),
        job_name=text(spec.job_name),
        frame_id=text(spec.frame_id),
        frame_name=text(spec.frame_name),
        layer_id=text(spec.layer_id),
        num_cores=int32(spec.num_cores),
        start_time=int64(round(frame.started_at * 1000)),
        num_gpus=int32(spec.num_gpus),
        used_gpu_memory=int64(usage.gpu),
        max_used_gpu_memory=int64(usage.max_gpu),
        llu_time=int64(frame.last_output),
    )
    info.MergeFromString(statistics(usage))
    if frame.attributes:
        info.attributes.update(texts(frame.attributes))
    return info


def boot_report(
    host: report_pb2.RenderHost, core_info: report_pb2.CoreDetail
) -> report_pb2.BootReport:
    return report_pb2.BootReport(host=host, core_info=core_info)


def host_report(
    host: report_pb2.RenderHost,
    frames: bytes,
    core_info: report_pb2.CoreDetail,
    completions: int = 0,
) -> bytes:
    """A HostReport, serialised. ``frames`` are fields of it already (see ``retelling``).

    It is never parsed here: of a thousand frames that would take the reactor some milliseconds.
    ``completions`` is how many wait for Cuebot.
    """
    report = report_pb2.HostReport(host=host, core_info=core_info)
    if completions:
        report.host.attributes["completionsWaiting"] = str(completions)
    told = report.SerializeToString() + frames
    if len(told) > _LARGEST:
        report.MergeFromString(frames)
        _leave_out_processes(len(told), report.frames)
        told = report.SerializeToString()
    return told


def completion(host: bytes, frame: bytes, end: FrameEnd) -> bytes:
    """A FrameCompleteReport, of a RenderHost and a RunningFrameInfo: all three are serialised.

    A frame that could not be started carries the reason as attribute ``explanation``.
    """
    report = report_pb2.FrameCompleteReport(
        exit_status=int32(end.exit_status),
        exit_signal=int32(end.exit_signal),
        run_time=int32(max(0.0, end.run_time)),
    )
    if end.exit_status == COULD_NOT_START and end.reason:
        frame += report_pb2.RunningFrameInfo(
            attributes={"explanation": text(end.reason)}
        ).SerializeToString()
    told = wire.field(_HOST, host) + wire.field(_FRAME, frame) + report.SerializeToString()
    if len(told) > _LARGEST:
        report = report_pb2.FrameCompleteReport.FromString(told)
        _leave_out_processes(len(told), [report.frame])
        told = report.SerializeToString()
    return told


_HOST = report_pb2.FrameCompleteReport.HOST_FIELD_NUMBER
_FRAME = report_pb2.FrameCompleteReport.FRAME_FIELD_NUMBER
#: Bytes that a report may have; gRPC's servers refuse messages of more than 4 MiB by default.
_LARGEST = 4_000_000


def _leave_out_processes(size: int, frames: Iterable[report_pb2.RunningFrameInfo]) -> None:
    """Of a report that is too large (``size`` bytes): of as many frames as it takes, largest first.

    A list of processes is for people to look at: better none than no report.
    """
    for frame in sorted(frames, key=lambda frame: frame.ByteSize(), reverse=True):
        size -= frame.children.ByteSize()
        frame.children.Clear()
        frame.children.SetInParent()
        if size <= _LARGEST:
            break
