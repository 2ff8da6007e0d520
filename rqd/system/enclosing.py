"""The control groups that enclose this process: what bounds it, bounds its frames.

Version 2 has one tree for all controllers, version 1 has one for each; both may be there at once.
A container sees its part of a tree alone. Its own group is the top then, and shows the limits that
whoever started the container has set.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple


class Enclosing(NamedTuple):
    """The folders of a controller's groups: the process's own first, then those above it."""

    version: int
    """1 or 2: their files differ."""
    folders: tuple[str, ...] = ()


def enclosing_groups(
    controller: str, *, proc_root: str = "/proc", membership: str = "self/cgroup"
) -> Enclosing:
    """The groups by which ``controller`` (``memory``, ``cpu``) bounds this process.

    Or another one, of which ``membership`` tells: a path, below ``proc_root`` if it is relative.
    There are no folders where no tree is mounted, or the process is outside of what is. Whether
    the folders have the controller's files is for the reader to find out. Any thread.
    """
    try:
        memberships = all_memberships(membership, proc_root=proc_root)
        mounts = list(_mounts(_text(proc_root, "self/mountinfo")))
    except OSError:
        return Enclosing(2)
    version, name = (1, controller) if controller in memberships else (2, "")
    path = memberships.get(name)
    if path is None or ".." in path.split("/"):
        return Enclosing(version)
    ways = [
        _folders(root, point, path) for each, root, point in mounts if each == name and root != ""
    ]
    return Enclosing(version, max(ways, key=len, default=()))


def all_memberships(membership: str, *, proc_root: str = "/proc") -> dict[str, str]:
    """The group's path in each tree by its controllers, "" for version 2; raises OSError."""
    return dict(_memberships(_text(proc_root, membership)))


def _text(proc_root: str, name: str) -> str:
    with open(os.path.join(proc_root, name), encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _memberships(text: str) -> Iterator[tuple[str, str]]:
    """The group's path by controller; version 2's has the empty name."""
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, path


def _mounts(text: str) -> Iterator[tuple[str, str, str]]:
    """Controller (none: version 2), root within the tree, and mount point of each mounted tree."""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        place, kind = left.split(" "), right.split(" ")
        if len(place) < 5 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        controllers = kind[-1].split(",") if kind[0] == "cgroup" else [""]
        for controller in controllers:
            yield controller, place[3], place[4]


def _folders(root: str, point: str, path: str) -> tuple[str, ...]:
    """The group ``path`` and those above it, as far as a mount shows them; none if it does not."""
    root, path = root.rstrip("/"), path.rstrip("/")
    if path != root and not path.startswith(root + "/"):
        return ()
    names = [name for name in path[len(root) :].split("/") if name]
    return tuple(os.path.join(point, *names[:depth]) for depth in range(len(names), -1, -1))
