"""The facts of a frame that its log's header and footer tell (pure)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rqd.frame.exits import FrameEnd
from rqd.frame.users import Identity
from rqd.logging.text import CoTenant, EndedProcess, FooterFacts, HeaderFacts, footer, header
from rqd.system.usage import FrameUsage

if TYPE_CHECKING:
    from rqd.frame.kept import Kept


#: A remark; its field are the processes.
UNKILLABLE = "not all of this frame could be killed, its cores stay withheld: {}"


def header_of(frame: Kept, identity: Identity | None, host: str, env: Mapping[str, str]) -> bytes:
    """The log's header; uid and gid are those that the frame really runs with."""
    spec = frame.spec
    return header(
        HeaderFacts(
            command=spec.command,
            uid=identity.uid if identity else os.geteuid(),
            gid=identity.gid if identity else os.getegid(),
            log_path=frame.output.path,
            host=host,
            job_id=spec.job_id,
            job_name=spec.job_name,
            frame_id=spec.frame_id,
            frame_name=spec.frame_name,
            environment=env,
            written_at=frame.started_at,
            threads=frame.reservation.threads,
        )
    )


def footer_of(
    frame: Kept, end: FrameEnd, remarks: tuple[str, ...], beside: Sequence[Kept]
) -> bytes:
    """The log's footer; ``beside`` are all frames of the host, for failures."""
    usage = frame.usage
    return footer(
        FooterFacts(
            exit_status=end.exit_status,
            exit_signal=end.exit_signal,
            start_time=frame.started_at,
            end_time=end.ended_at,
            run_time=end.run_time,
            max_rss=usage.max_rss,
            max_used_gpu_memory=usage.max_gpu,
            kill_message=end.reason,
            remarks=remarks,
            processes=_processes(usage),
            co_tenants=[_tenant(other, other is frame) for other in beside],
        )
    )


def killed_by_kernel(frame: Kept) -> str:
    """A remark for the footer, and for the agent's log."""
    limit = frame.spec.soft_memory_limit
    return (
        "the kernel killed processes of this frame, as memory ran out: it was last seen to use"
        f" {gib(frame.usage.pss)}, {gib(frame.usage.max_pss)} at its highest, and was booked with"
        f" {gib(limit) if limit > 0 else 'no limit'}"
    )


def gib(size: int) -> str:
    """A size in KiB for people."""
    return f"{size / (1 << 20):.2f} GiB"


def _processes(usage: FrameUsage) -> list[EndedProcess]:
    return [EndedProcess(p.pid, p.name, p.rss, p.cmdline) for p in usage.processes]


def _tenant(frame: Kept, itself: bool) -> CoTenant:
    return CoTenant(frame.spec.name, frame.usage.rss, frame.spec.soft_memory_limit, itself)
