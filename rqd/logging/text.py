"""The words around a frame's output: header and footer. Pure.

Readers and tools look for lines such as ``Render Frame Completed`` and ``exitStatus``. A command
or an environment may hold any bytes, so no continuation of a value ever begins a line: a line
break in a value is followed by an indent.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WIDTH = 18
_RULE = "=" * 59
_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_MARGIN = " " * _WIDTH
_INDENT = "\n" + _MARGIN
_TOP = 15


class HeaderFacts(NamedTuple):
    """What the header says; ``written_at`` in epoch seconds."""

    command: str
    uid: int
    gid: int
    log_path: str
    host: str
    job_id: str
    job_name: str
    frame_id: str
    frame_name: str
    environment: Mapping[str, str]
    written_at: float
    threads: tuple[int, ...] = ()


class CoTenant(NamedTuple):
    """A frame on the host at the end of this one; memory in KiB, no limit is 0."""

    name: str
    rss: int
    soft_limit: int
    itself: bool = False

    @property
    def over(self) -> bool:
        """Whether it uses more than it said."""
        return 0 < self.soft_limit < self.rss


class EndedProcess(NamedTuple):
    """A process of the frame as last seen; ``rss`` in KiB."""

    pid: int
    name: str
    rss: int
    command: str


class FooterFacts(NamedTuple):
    """What the footer says; times in epoch seconds, memory in KiB, ``run_time`` in seconds."""

    exit_status: int
    exit_signal: int
    start_time: float
    end_time: float
    run_time: float
    max_rss: int
    max_used_gpu_memory: int = 0
    kill_message: str = ""
    remarks: tuple[str, ...] = ()
    processes: Sequence[EndedProcess] = ()
    co_tenants: Sequence[CoTenant] = ()


def header(facts: HeaderFacts) -> bytes:
    """The text before the output; ends with a line break."""
    lines = [
        _RULE,
        f"RenderQ JobSpec   {_date(facts.written_at)}",
        _line("command", facts.command),
        f"uid               {facts.uid}",
        f"gid               {facts.gid}",
        _line("logDestination", facts.log_path),
        _line("renderHost", facts.host),
        _line("jobId", facts.job_id),
        _line("jobName", facts.job_name),
        _line("frameId", facts.frame_id),
        _line("frameName", facts.frame_name),
        f"pinnedCores       {','.join(map(str, facts.threads)) or 'none'}",
        "environment",
        *[_more(f"{name}={value}") for name, value in sorted(facts.environment.items())],
        _RULE,
    ]
    return _encode(lines)


def footer(facts: FooterFacts) -> bytes:
    """The text after the output; begins and ends a line."""
    lines = [
        _RULE,
        "Render Frame Completed",
        f"exitStatus        {facts.exit_status}",
        f"exitSignal        {facts.exit_signal}",
        _line("killMessage", facts.kill_message),
        *[_line("remark", remark) for remark in facts.remarks],
        f"startTime         {_date(facts.start_time)}",
        f"endTime           {_date(facts.end_time)}",
        f"maxrss            {facts.max_rss}",
        f"maxUsedGpuMemory  {facts.max_used_gpu_memory}",
        f"runTime           {int(facts.run_time)}",
        "processes",
        *[_more(_process(process)) for process in facts.processes],
    ]
    if facts.exit_status or facts.exit_signal:
        lines += ["hostMemory", *map(_more, _tenants(facts.co_tenants))]
    return _encode([*lines, _RULE])


def _line(name: str, value: str) -> str:
    """A line that tells something foreign."""
    return f"{name:<{_WIDTH}}{_BREAKS.sub(_INDENT, value)}".rstrip(" ")


def _more(value: str) -> str:
    """A line of a block."""
    return f"{_MARGIN}{_BREAKS.sub(_INDENT, value)}".rstrip(" ")


def _process(process: EndedProcess) -> str:
    return f"{process.pid} {process.name} rss={process.rss} {process.command}"


def _tenants(tenants: Sequence[CoTenant]) -> list[str]:
    """The biggest ones, and the frame itself wherever it stands."""
    ordered = sorted(tenants, key=lambda tenant: -tenant.rss)
    shown = ordered[:_TOP] + [tenant for tenant in ordered[_TOP:] if tenant.itself]
    return [
        f"{tenant.name} rss={tenant.rss} limit={tenant.soft_limit}"
        + (" OVER ITS LIMIT" if tenant.over else "")
        + (" (this frame)" if tenant.itself else "")
        for tenant in shown
    ]


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def _encode(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
