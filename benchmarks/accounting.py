"""What processes hold: memory, threads, descriptors, children. Read from /proc."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_PROC = Path("/proc")


def memory(pids: Iterable[int]) -> dict[str, float]:
    """Memory in MiB, threads and number of the processes, added up; ended ones left out."""
    total = {"rss_mib": 0.0, "pss_mib": 0.0, "uss_mib": 0.0, "peak_rss_mib": 0.0}
    threads = processes = 0
    for pid in pids:
        try:
            rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
            status = (_PROC / str(pid) / "status").read_text()
        except OSError:
            continue
        total["rss_mib"] += _kib(rollup, "Rss") / 1024
        total["pss_mib"] += _kib(rollup, "Pss") / 1024
        total["uss_mib"] += (_kib(rollup, "Private_Clean") + _kib(rollup, "Private_Dirty")) / 1024
        total["peak_rss_mib"] += _kib(status, "VmHWM") / 1024
        threads += thread_count(pid)
        processes += 1
    return {k: round(v, 2) for k, v in total.items()} | {
        "threads": threads,
        "processes": processes,
    }


def _kib(text: str, name: str) -> int:
    return sum(int(x) for x in re.findall(rf"^{name}:\s+(\d+) kB", text, re.M))


def thread_count(pid: int) -> int:
    """Threads of a process, 0 if it ended."""
    return _entries(_PROC / str(pid) / "task")


def descriptor_count(pid: int) -> int:
    """Open file descriptors of a process, 0 if it ended."""
    return _entries(_PROC / str(pid) / "fd")


def _entries(folder: Path) -> int:
    try:
        return len(os.listdir(folder))
    except OSError:
        return 0


def descendants(pid: int) -> list[int]:
    """Children of a process, their children and so on."""
    found: list[int] = []
    for thread in _listdir(_PROC / str(pid) / "task"):
        for child in _text(_PROC / str(pid) / "task" / thread / "children").split():
            found += [int(child), *descendants(int(child))]
    return found


def zombie_children(pids: Iterable[int]) -> int:
    """Dead children that these processes have not reaped."""
    parents = set(pids)
    count = 0
    for pid in all_pids():
        fields = _text(_PROC / str(pid) / "stat").rsplit(")", 1)[-1].split()
        count += len(fields) > 1 and fields[0] == "Z" and int(fields[1]) in parents
    return count


def bearing(token: str) -> list[int]:
    """Processes that have the token in their environment or in their arguments."""
    wanted = token.encode()
    return [
        pid
        for pid in all_pids()
        if pid != os.getpid()
        and any(wanted in _bytes(_PROC / str(pid) / name) for name in ("environ", "cmdline"))
    ]


def sleeping(duration: str) -> int:
    """Number of `sleep` processes with exactly this argument."""
    wanted = duration.encode()
    count = 0
    for pid in all_pids():
        argv = _bytes(_PROC / str(pid) / "cmdline").split(b"\0")
        count += os.path.basename(argv[0]) == b"sleep" and wanted in argv
    return count


def all_pids() -> Iterator[int]:
    """Every process of the machine."""
    return (int(name) for name in _listdir(_PROC) if name.isdigit())


def files_below(*folders: Path) -> int:
    """Files and folders anywhere below the folders."""
    return sum(len(d) + len(f) for folder in folders for _, d, f in os.walk(folder))


def _listdir(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _text(path: Path) -> str:
    return _bytes(path).decode(errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
