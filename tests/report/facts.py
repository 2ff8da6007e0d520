"""Made-up facts of a host and its frames."""

from __future__ import annotations

from typing import Any

from rqd.frame.spec import FrameSpec
from rqd.report.messages import FrameFacts
from rqd.system.host import HostSample
from rqd.system.processes import ProcessSample
from rqd.system.usage import FrameUsage


def host_sample(**changes: Any) -> HostSample:
    facts: dict[str, Any] = {
        "name": "render042",
        "facility": "local",
        "num_procs": 1,
        "cores_per_proc": 200,
        "total_swap": 0,
        "free_swap": 0,
        "total_mem": 24684092,
        "free_mem": 23756864,
        "total_mcp": 264212084,
        "free_mcp": 78406368,
        "load": 162,
        "boot_time": 1795318739,
        "tags": ("linux", "fast"),
        "attributes": {"SP_OS": "Linux", "hyperthreadingMultiplier": "1", "swapout": "0"},
    }
    return HostSample(**facts | changes)


def frame_spec(**changes: Any) -> FrameSpec:
    facts: dict[str, Any] = {
        "resource_id": "7221a2b3",
        "job_id": "6c17c1af",
        "job_name": "testing-sh010-artist_mem",
        "frame_id": "a6842560",
        "frame_name": "0001-hungry",
        "layer_id": "bf11c10d",
        "command": "true",
        "user_name": "artist",
        "log_dir": "/logs",
        "show": "testing",
        "shot": "sh010",
        "num_cores": 100,
        "num_gpus": 0,
        "uid": 1001,
        "gid": 20,
        "ignore_nimby": False,
        "environment": {},
        "os": "",
        "soft_memory_limit": 0,
        "hard_memory_limit": 0,
        "loki_url": "",
        "request": b"",
    }
    return FrameSpec(**facts | changes)


def process_sample(**changes: Any) -> ProcessSample:
    facts: dict[str, Any] = {
        "pid": 7491,
        "name": "sh",
        "state": "S",
        "cmdline": "/bin/sh script",
        "started": 1795321785.0,
        "cpu_seconds": 0.5,
        "rss": 1636,
        "vsize": 2592,
        "pss": 1100,
        "swap": 0,
    }
    return ProcessSample(**facts | changes)


def usage(*processes: ProcessSample) -> FrameUsage:
    return FrameUsage(
        rss=728148,
        max_rss=728200,
        pss=700000,
        max_pss=700001,
        vsize=735760,
        max_vsize=735800,
        swap=12,
        pcpu=1.5,
        processes=processes,
    )


def frame_facts(**changes: Any) -> FrameFacts:
    facts: dict[str, Any] = {"spec": frame_spec(), "started_at": 1795321785.588}
    return FrameFacts(**facts | changes)
