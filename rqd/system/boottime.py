"""When the host was booted."""

from __future__ import annotations


def read_boot_time(proc_stat_path: str) -> int:
    """``btime``: seconds since the epoch; raises ``ValueError`` where the file has none."""
    with open(proc_stat_path, "rb") as stat:
        for line in stat:
            if line.startswith(b"btime "):
                return int(line.split()[1])
    raise ValueError(f"{proc_stat_path} has no btime")
