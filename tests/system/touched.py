"""Which files and folders a piece of code opens, as the interpreter itself tells."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_watchers: list[tuple[int, str, Callable[[str], None]]] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    """Hooks can't be removed, so there is one for all, which mostly has nobody to tell."""
    if not _watchers or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = os.fsdecode(args[0]) if isinstance(args[0], (str, bytes)) else ""
    for thread, below, tell in tuple(_watchers):
        if thread == threading.get_ident() and path.startswith(below):
            tell(path)


sys.addaudithook(_hook)


@contextmanager
def touched(
    below: str, before: Callable[[list[str]], None] = lambda paths: None
) -> Iterator[list[str]]:
    """Collects what this thread opens below a folder; ``before`` is called ahead of each."""
    paths: list[str] = []

    def note(path: str) -> None:
        paths.append(path)
        before(paths)

    watcher = (threading.get_ident(), below, note)
    _watchers.append(watcher)
    try:
        yield paths
    finally:
        _watchers.remove(watcher)
