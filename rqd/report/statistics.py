"""What a frame uses, as the part of its message that tells it (pure).

It is by far the largest part of a report, and the same in every report until the next sampling. So
it is serialised once, by the worker that sampled it, and only copied on the reactor.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from rqd.proto import report_pb2
from rqd.report.fields import int64, text
from rqd.system.usage import EMPTY_USAGE

if TYPE_CHECKING:
    from rqd.system.processes import ProcessSample
    from rqd.system.usage import FrameUsage

#: Characters of command lines that a frame may tell in all: a frame of a thousand processes still
#: tells of each, and of each how its command line begins.
_CMDLINES = 128 << 10
#: What is left of each at least.
_SHORT = 60


def statistics(usage: FrameUsage) -> bytes:
    """A serialised RunningFrameInfo that holds nothing else."""
    if usage is EMPTY_USAGE:
        return _unseen()
    return usage.told or _message(usage).SerializeToString()


@cache
def _unseen() -> bytes:
    return _message(EMPTY_USAGE).SerializeToString()


def put_into_words(usage: FrameUsage) -> None:
    """Do most of the work of ``statistics`` ahead, once; in any thread."""
    if usage.told is None:
        usage.remember(_message(usage).SerializeToString())


def _message(usage: FrameUsage) -> report_pb2.RunningFrameInfo:
    """``pcpu`` (cores in use) is there once the frame was measured."""
    info = report_pb2.RunningFrameInfo(
        rss=int64(usage.rss),
        max_rss=int64(usage.max_rss),
        pss=int64(usage.pss),
        max_pss=int64(usage.max_pss),
        vsize=int64(usage.vsize),
        max_vsize=int64(usage.max_vsize),
        used_swap_memory=int64(usage.swap),
        children=report_pb2.ChildrenProcStats(),
    )
    if usage != EMPTY_USAGE:
        info.attributes["pcpu"] = str(usage.pcpu)
    longest = max(_SHORT, _CMDLINES // max(1, len(usage.processes)))
    for process in usage.processes:
        _add(info.children, process, longest)
    return info


def _add(children: report_pb2.ChildrenProcStats, process: ProcessSample, longest: int) -> None:
    """Built in place: four times as fast as messages that are made first and copied in."""
    rss, vsize = int64(process.rss), int64(process.vsize)
    children.children.add(
        stat={
            "rss": rss,
            "pss": int64(process.pss),
            "vsize": vsize,
            "state": text(process.state),
            "name": text(process.name),
            "pid": str(process.pid),
        },
        statm={"rss": rss, "size": vsize},
        cmdline=text(process.cmdline[:longest]),
        start_time=_local_time(process.started),
    )


def _local_time(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
