"""Where frames' control groups are: below the agent's own, or in a place kept for them.

Where systemd runs the agent, whatever is below the agent's own group is ended, or complained about,
with the service. So the package has a second unit, whose one process does nothing, and whose groups
are delegated. It writes down where it is, as the kernel tells it in ``/proc/self/cgroup``::

    OPENRQD_FRAMES_CGROUP=/run/openrqd-frames/cgroup
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from rqd.log import Logger
from rqd.system.enclosing import all_memberships, enclosing_groups

VARIABLE = "OPENRQD_FRAMES_CGROUP"
#: What the kernel says of this process's groups, below the root of ``/proc``.
OWN = "self/cgroup"

_log = Logger()


class Home(NamedTuple):
    """The groups that frames live in, or below."""

    membership: str = OWN
    """The file that tells of them; below the root of ``/proc``, or an absolute path."""
    beside: tuple[str, ...] = ()
    """Folders of version 1 that a frame has to be moved to, too: limits and systemd's own."""


def find_home(environ: Mapping[str, str], proc_root: str = "/proc") -> Home:
    """The place kept for frames, if there is one, else the agent's own groups."""
    path = environ.get(VARIABLE)
    if not path:
        return Home()
    try:
        theirs = all_memberships(path, proc_root=proc_root)
    except OSError as problem:
        _log.warn(
            "the place kept for frames is unknown, they run within the service: a stop ends with"
            " what they leave reason={reason}",
            reason=problem,
        )
        return Home()
    own = all_memberships(OWN, proc_root=proc_root)
    moves = [name for name, place in theirs.items() if name and place != own.get(name)]
    folders = {_folder(name, path, proc_root) for name in moves}
    return Home(path, tuple(sorted(folder for folder in folders if _may_move_to(folder))))


def _folder(controller: str, membership: str, proc_root: str) -> str:
    """ "" where it isn't mounted."""
    found = enclosing_groups(controller, proc_root=proc_root, membership=membership)
    return found.folders[0] if found.version == 1 and found.folders else ""


def _may_move_to(folder: str) -> bool:
    return bool(folder) and os.access(f"{folder}/cgroup.procs", os.W_OK)
