"""What a run may have left behind: processes, open ports, files."""

from __future__ import annotations

import os
import socket
from pathlib import Path


def processes(mark: str, proc_root: str = "/proc") -> dict[int, str]:
    """Pid and command of live processes that have ``mark`` in command line, environment or cwd.

    ``mark`` is the path of the run's private folder, so nobody else's match. A zombie has none
    of these and isn't found: it is dead.
    """
    found = {}
    for entry in os.listdir(proc_root):
        if entry.isdigit() and int(entry) != os.getpid():
            folder = Path(proc_root, entry)
            if any(mark.encode() in fact for fact in _facts(folder)):
                command = _read(folder / "cmdline").replace(b"\0", b" ").decode(errors="replace")
                found[int(entry)] = command.strip()
    return found


def open_ports(ports: list[int], interface: str = "127.0.0.1") -> list[int]:
    """Those on which somebody still listens."""
    return [port for port in ports if _listens(interface, port)]


def files(root: Path, *, depth: int = 1) -> list[str]:
    """Files and folders at least ``depth`` levels below ``root``, relative to it."""
    found = (path.relative_to(root) for path in root.rglob("*"))
    return sorted(str(path) for path in found if len(path.parts) >= depth)


def _facts(folder: Path) -> list[bytes]:
    try:
        cwd = os.readlink(folder / "cwd").encode()
    except OSError:
        cwd = b""
    return [_read(folder / "cmdline"), _read(folder / "environ"), cwd]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # ended meanwhile, or not ours to read


def _listens(interface: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((interface, port)) == 0
