"""The rows of the tables, and what openrqd promises of some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

TIMES = "\N{MULTIPLICATION SIGN}"

TITLES: Mapping[str, str] = {
    "startup": "Start and stop",
    "idle": "Idle",
    "latency": "One frame after the other",
    "throughput": "Many frames at once",
    "running": "While frames run",
    "threads": "Threads",
    "log": "A frame that writes {log_megabytes} MB",
    "busy": "While a frame writes 10 MB a second",
    "leak": "Nothing lost, nothing left",
}
"""What each measure is about; the measures themselves are in benchmarks.measures."""


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: of the ratio to the classic agent, or of openrqd's own value."""

    of: Literal["ratio", "value"]
    bound: Literal["≤", "≥"]
    limit: float

    def __str__(self) -> str:
        return f"{self.bound} {self.limit:g}{TIMES if self.of == 'ratio' else ''}"

    def met(self, figure: float) -> bool:
        """Does the figure keep the promise? NaN never does."""
        return figure <= self.limit if self.bound == "≤" else figure >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: where a measure keeps it, and how it reads."""

    measure: str
    key: str
    """Keys into the figures, joined by dots."""
    label: str
    """What it is; like `bar` formatted with the fields of the run's scale."""
    unit: str = ""
    better: Literal["less", "more", ""] = "less"
    """Which way is better; nothing for a figure that is neither, or no ratio makes sense of."""
    target: Target | None = None
    bar: str = ""
    """How the chart calls it; nothing for a row that has no bar."""


def ratio_at_most(limit: float) -> Target:
    """Promise to take at most so many times what the classic agent takes."""
    return Target("ratio", "≤", limit)


def ratio_at_least(limit: float) -> Target:
    """Promise to do at least so many times what the classic agent does."""
    return Target("ratio", "≥", limit)


NONE = Target("value", "≤", 0)


def _count(measure: str, key: str, label: str, target: Target | None = None) -> Row:
    return Row(measure, key, label, better="", target=target)


ROWS: tuple[Row, ...] = (
    Row("startup", "to_port_s", "exec → port open", "s"),
    Row(
        "startup",
        "to_answer_s",
        "exec → serving",
        "s",
        target=ratio_at_most(2),
        bar="exec → serving",
    ),
    Row("startup", "to_report_s", "exec → startup report received", "s"),
    Row("startup", "cpu_s", "CPU to start", "s"),
    Row("startup", "stop_s", "SIGTERM → exit", "s"),
    Row("idle", "rss_mib", "RSS", "MiB", target=ratio_at_most(1.5), bar="idle: RSS"),
    Row("idle", "pss_mib", "PSS", "MiB"),
    Row("idle", "uss_mib", "USS", "MiB"),
    Row("idle", "threads", "threads"),
    Row("idle", "cpu_s_per_min", "CPU a minute", "s"),
    Row("idle", "reports_per_min", "status reports a minute", better=""),
    Row("idle", "status_rpc_ms.p50", "ReportStatus, p50", "ms", bar="idle: ReportStatus"),
    Row("idle", "status_rpc_ms.p95", "ReportStatus, p95", "ms"),
    Row(
        "latency",
        "launch_ms.p50",
        "launch → command runs, p50",
        "ms",
        target=ratio_at_most(0.6),
        bar="launch → command runs",
    ),
    Row("latency", "launch_ms.p95", "launch → command runs, p95", "ms"),
    Row("latency", "rpc_ms.p50", "LaunchFrame returns, p50", "ms", bar="LaunchFrame returns"),
    Row("latency", "rpc_ms.p95", "LaunchFrame returns, p95", "ms"),
    Row(
        "latency",
        "completion_ms.p50",
        "exit → completion received, p50",
        "ms",
        target=ratio_at_most(0.8),
        bar="exit → completion received",
    ),
    Row("latency", "completion_ms.p95", "exit → completion received, p95", "ms"),
    Row(
        "latency",
        "cpu_ms_per_frame",
        "CPU of the agent per frame",
        "ms",
        target=ratio_at_most(0.65),
        bar="CPU per frame",
    ),
    Row("latency", "children_cpu_ms_per_frame", "CPU of the frame's chain of programs", "ms"),
    _count("latency", "lost", "frames lost"),
    _count("latency", "wrong", "frames with a wrong end"),
    Row(
        "throughput",
        "frames_per_s",
        "{throughput} x /bin/true, 16 clients",
        "frames/s",
        "more",
        target=ratio_at_least(3),
        bar="{throughput} x /bin/true: frames/s",
    ),
    Row("throughput", "rpc_ms.p50", "LaunchFrame returns, p50", "ms"),
    Row("throughput", "rpc_ms.p95", "LaunchFrame returns, p95", "ms"),
    Row("throughput", "cpu_s", "CPU of the agent", "s"),
    Row("throughput", "children_cpu_s", "CPU of the frames and their chains", "s"),
    Row("throughput", "peak_threads", "most threads"),
    Row("throughput", "peak_rss_mib", "most RSS", "MiB"),
    _count("throughput", "refused", "launches refused"),
    _count("throughput", "lost", "frames lost"),
    _count("throughput", "wrong", "frames with a wrong end"),
    _count("throughput", "repeated", "completions sent twice"),
    Row(
        "running",
        "cpu_s_per_min",
        "CPU a minute, {running} frames of 3 processes",
        "s",
        bar="{running} running: CPU",
    ),
    Row(
        "running",
        "above_idle_cpu_s_per_min",
        "CPU a minute on top of idle, {running} frames of 3 processes",
        "s",
        target=Target("value", "≤", 0.5),
    ),
    Row("running", "rss_mib", "RSS", "MiB"),
    Row(
        "running",
        "status_rpc_ms.p50",
        "ReportStatus, p50",
        "ms",
        bar="{running} running: ReportStatus",
    ),
    Row("running", "status_rpc_ms.p95", "ReportStatus, p95", "ms"),
    Row("running", "frame_status_rpc_ms.p95", "GetRunningFrameStatus, p95", "ms"),
    _count("running", "frame_status_rpc_ms.errors", "GetRunningFrameStatus calls that failed"),
    Row("running", "reports_per_min", "status reports a minute", better=""),
    Row("running", "reported_bytes", "size of a status report", "bytes", better=""),
    Row("running", "kill_to_last_s", "kill all → last completion", "s"),
    _count("running", "replaced", "frames that died on their way up"),
    _count("running", "killed_unreported", "killed frames never reported"),
    _count("running", "left", "processes left after the kill"),
    Row("threads", "fresh", "freshly started", better=""),
    Row("threads", "none_running", "no frame runs, pools filled", better=""),
    Row("threads", "most_running", "{thread_levels[2]} frames run", better=""),
    _count("threads", "growth", "threads that came with frames", NONE),
    Row(
        "log",
        "plain.mb_per_s",
        "without timestamps",
        "MB/s",
        "more",
        bar="log without timestamps: MB/s",
    ),
    Row("log", "plain.cpu_s", "without timestamps, CPU of the agent", "s"),
    _count("log", "plain.missing", "without timestamps, lines lost", NONE),
    Row(
        "log",
        "stamped.mb_per_s",
        "with timestamps",
        "MB/s",
        "more",
        target=ratio_at_least(50),
        bar="log with timestamps: MB/s",
    ),
    Row("log", "stamped.cpu_s", "with timestamps, CPU of the agent", "s"),
    _count("log", "stamped.missing", "with timestamps, lines lost", NONE),
    _count("log", "stamped.damaged", "with timestamps, lines damaged", NONE),
    _count(
        "log",
        "stamped.bytes_after_completion",
        "with timestamps, bytes written after the completion",
    ),
    Row("log", "stamped.rss_mib", "with timestamps, RSS afterwards", "MiB"),
    Row(
        "busy",
        "launch_ms.p50",
        "launch → command runs, p50",
        "ms",
        bar="launch while a frame writes",
    ),
    Row("busy", "launch_ms.p95", "launch → command runs, p95", "ms"),
    Row("busy", "completion_ms.p50", "exit → completion received, p50", "ms"),
    Row("busy", "status_rpc_ms.p50", "ReportStatus, p50", "ms"),
    Row("busy", "status_rpc_ms.p95", "ReportStatus, p95", "ms"),
    _count("leak", "refused", "of {leak_frames} launches refused", NONE),
    _count("leak", "lost", "frames lost", NONE),
    _count("leak", "wrong", "frames with a wrong end", NONE),
    _count("leak", "repeated", "completions sent twice", NONE),
    _count("leak", "grown.zombies", "zombies left", NONE),
    _count("leak", "grown.processes", "processes left", NONE),
    _count("leak", "grown.descriptors", "file descriptors left open", NONE),
    _count("leak", "grown.threads", "threads left", NONE),
    _count("leak", "grown.cores", "core points not given back", NONE),
    _count("leak", "grown.frames", "frames still known", NONE),
    _count("leak", "grown.files", "files left in temporary and state folders", NONE),
    Row("leak", "frames_per_s", "speed meanwhile", "frames/s", "more"),
    Row("leak", "rss_growth_mib", "growth of RSS", "MiB", better=""),
)
