"""When the host was booted."""

from __future__ import annotations

import re

_BTIME = re.compile(rb"btime ([0-9]{1,10})\s")


def read_boot_time(proc_stat_path: str) -> int:
    """``btime``: seconds since the epoch; raises ``ValueError`` where the file has none."""
    with open(proc_stat_path, "rb") as stat:
        for line in stat:
            if found := _BTIME.match(line):
                return int(found[1])
    raise ValueError(f"{proc_stat_path} has no btime")
