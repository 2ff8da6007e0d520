"""Frames that an earlier agent started, and that still run.

Who would reboot the machine has to know of them, also as long as nobody picks them up.
"""

from __future__ import annotations

import os
from pathlib import Path

from rqd.frame.exits import read_chain


def survivors(state: str, known: frozenset[str], proc_root: str = "/proc") -> list[str]:
    """Return the berths with running frames in the state folder ``state`` that are not ``known``.

    A supervisor is recognised by its chain file, which it holds open: no other process does, so a
    pid that was used again is not mistaken. Blocks; in a worker.
    """
    chains = Path(state, "berths").glob("*.chain")
    return [path.stem for path in chains if path.stem not in known and _runs(path, proc_root)]


def _runs(chain: Path, proc_root: str) -> bool:
    try:
        with open(chain, "rb") as account:
            facts = os.fstat(account.fileno())
            said = read_chain(account.read(64 << 10))
        if not said.started or said.exit is not None:
            return False
        return os.path.samestat(facts, os.stat(f"{proc_root}/{int(said.born)}/fd/1"))
    except (OSError, ValueError):
        return False
