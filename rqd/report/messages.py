"""Facts to messages: the only place that fills what Cuebot is told (pure).

Sizes are KiB and cores are points, here as there. Numbers are kept within the range of their
fields and text within Unicode: one odd fact of one process must not lose a whole report.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from rqd.frame.exits import COULD_NOT_START
from rqd.proto import report_pb2
from rqd.system.usage import EMPTY_USAGE, FrameUsage

if TYPE_CHECKING:
    from rqd.frame.exits import FrameEnd
    from rqd.frame.spec import FrameSpec
    from rqd.system.condition import HostCondition
    from rqd.system.host import HostSample
    from rqd.system.processes import ProcessSample
    from rqd.system.reservations import CoreCounts


class FrameFacts(NamedTuple):
    """One frame as it is reported. Times in seconds since the epoch, 0 for never."""

    spec: FrameSpec
    started_at: float
    usage: FrameUsage = EMPTY_USAGE
    last_output: float = 0.0
    attributes: Mapping[str, str] = MappingProxyType({})


def render_host(sample: HostSample, condition: HostCondition) -> report_pb2.RenderHost:
    return report_pb2.RenderHost(
        name=_text(sample.name),
        facility=_text(sample.facility),
        nimby_enabled=condition.nimby_enabled,
        nimby_locked=condition.nimby_locked,
        state=condition.state,
        num_procs=_int32(sample.num_procs),
        cores_per_proc=_int32(sample.cores_per_proc),
        total_swap=_int64(sample.total_swap),
        free_swap=_int64(sample.free_swap),
        total_mem=_int64(sample.total_mem),
        free_mem=_int64(sample.free_mem),
        total_mcp=_int64(sample.total_mcp),
        free_mcp=_int64(sample.free_mcp),
        load=_int32(sample.load),
        boot_time=_int32(sample.boot_time),
        tags=map(_text, sample.tags),
        attributes=_texts(sample.attributes),
    )


def core_detail(counts: CoreCounts) -> report_pb2.CoreDetail:
    return report_pb2.CoreDetail(
        total_cores=_int32(counts.total),
        idle_cores=_int32(counts.idle),
        locked_cores=_int32(counts.locked),
        booked_cores=_int32(counts.booked),
    )


def running_frame(frame: FrameFacts) -> report_pb2.RunningFrameInfo:
    """``resource_id`` is that of this launch: Cuebot drops what carries an earlier one."""
    spec, usage = frame.spec, frame.usage
    return report_pb2.RunningFrameInfo(
        resource_id=_text(spec.resource_id),
        job_id=_text(spec.job_id),
        job_name=_text(spec.job_name),
        frame_id=_text(spec.frame_id),
        frame_name=_text(spec.frame_name),
        layer_id=_text(spec.layer_id),
        num_cores=_int32(spec.num_cores),
        start_time=_int64(round(frame.started_at * 1000)),
        rss=_int64(usage.rss),
        max_rss=_int64(usage.max_rss),
        pss=_int64(usage.pss),
        max_pss=_int64(usage.max_pss),
        vsize=_int64(usage.vsize),
        max_vsize=_int64(usage.max_vsize),
        used_swap_memory=_int64(usage.swap),
        llu_time=_int64(frame.last_output),
        attributes=_frame_attributes(frame),
        children=_children(usage.processes),
    )


def boot_report(
    host: report_pb2.RenderHost, core_info: report_pb2.CoreDetail
) -> report_pb2.BootReport:
    return report_pb2.BootReport(host=host, core_info=core_info)


def host_report(
    host: report_pb2.RenderHost,
    frames: Iterable[report_pb2.RunningFrameInfo],
    core_info: report_pb2.CoreDetail,
) -> report_pb2.HostReport:
    report = report_pb2.HostReport(host=host, frames=frames, core_info=core_info)
    if report.ByteSize() > _LARGEST:
        _leave_out_processes(report.frames)
    return report


def completion(
    host: report_pb2.RenderHost, frame: FrameFacts, end: FrameEnd
) -> report_pb2.FrameCompleteReport:
    """The end of a frame; one that could not be started carries the reason as ``explanation``."""
    report = report_pb2.FrameCompleteReport(
        host=host,
        frame=running_frame(frame),
        exit_status=_int32(end.exit_status),
        exit_signal=_int32(end.exit_signal),
        run_time=_int32(max(0.0, end.run_time)),
    )
    if end.exit_status == COULD_NOT_START and end.reason:
        report.frame.attributes["explanation"] = _text(end.reason)
    if report.ByteSize() > _LARGEST:
        _leave_out_processes([report.frame])
    return report


#: Bytes that a report may have; gRPC's servers refuse messages of more than 4 MiB by default.
_LARGEST = 4_000_000


def _leave_out_processes(frames: Iterable[report_pb2.RunningFrameInfo]) -> None:
    """A list of processes is for people to look at: better none than no report."""
    for frame in frames:
        frame.children.Clear()
        frame.children.SetInParent()


def _frame_attributes(frame: FrameFacts) -> dict[str, str]:
    """``pcpu`` (cores in use) is there once the frame was measured."""
    attributes = _texts(frame.attributes)
    if frame.usage != EMPTY_USAGE:
        attributes["pcpu"] = str(frame.usage.pcpu)
    return attributes


def _children(processes: Iterable[ProcessSample]) -> report_pb2.ChildrenProcStats:
    return report_pb2.ChildrenProcStats(children=map(_child, processes))


def _child(process: ProcessSample) -> report_pb2.ProcStats:
    return report_pb2.ProcStats(
        stat=report_pb2.Stat(
            rss=_int64(process.rss),
            pss=_int64(process.pss),
            vsize=_int64(process.vsize),
            state=_text(process.state),
            name=_text(process.name),
            pid=str(process.pid),
        ),
        statm=report_pb2.Statm(rss=_int64(process.rss), size=_int64(process.vsize)),
        cmdline=_text(process.cmdline),
        start_time=_local_time(process.started),
    )


def _local_time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _text(text: str) -> str:
    """Replace what has no UTF-8: bytes of a file system or a command line that were none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _texts(texts: Mapping[str, str]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in texts.items()}


def _int32(number: float) -> int:
    return max(-(1 << 31), min(int(number), (1 << 31) - 1))


def _int64(number: float) -> int:
    return max(-(1 << 63), min(int(number), (1 << 63) - 1))
