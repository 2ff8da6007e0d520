"""Thawing a container that people have paused: nothing ends in there before that.

The kernel keeps signals for what is frozen; in groups of version 1 also SIGKILL.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rqd.system.enclosing import enclosing_groups


def thaw(pid: int, *, proc_root: str = "/proc") -> None:
    """Let the group of a process go on; reads and writes pseudo-files only.

    The engine is not asked, as it may be away; it learns of the end like of any other.
    """
    found = enclosing_groups("freezer", proc_root=proc_root, membership=f"{pid}/cgroup")
    name, word = ("freezer.state", "THAWED") if found.version == 1 else ("cgroup.freeze", "0")
    with suppress(OSError):
        for folder in found.folders[:1]:
            Path(folder, name).write_text(word)
