"""Logs that can't be written, told by mount.

One dead mount holds up the logs of all frames at once: it is said when the first of them has
trouble, and when the last has none any more. What is in between is worth a line at debug level.
"""

from __future__ import annotations

from collections.abc import Callable

from rqd.log import Logger


class Troubles:
    """The logs that wait; on the reactor."""

    log = Logger()

    def __init__(self, mount_of: Callable[[str], str]) -> None:
        """``mount_of`` tells the mount that a path is on."""
        self._mount_of = mount_of
        self._where: dict[str, str] = {}
        self._waiting: dict[str, set[str]] = {}
        self._most: dict[str, int] = {}

    def begin(self, path: str, error: str) -> None:
        """This log has trouble, perhaps already for a while."""
        if path in self._where:
            return
        mount = self._where[path] = self._mount_of(path)
        waiting = self._waiting.setdefault(mount, set())
        say = self.log.debug if waiting else self.log.warn
        say(
            "logs cannot be written, their text waits mount={mount} log={path} error={error}",
            mount=mount,
            path=path,
            error=error,
        )
        waiting.add(path)
        self._most[mount] = max(len(waiting), self._most.get(mount, 0))

    def end(self, path: str) -> None:
        """This log has none, or is nobody's any more."""
        mount = self._where.pop(path, None)
        if mount is None:
            return
        self._waiting[mount].discard(path)
        if not self._waiting[mount]:
            del self._waiting[mount]
            self.log.info(
                "logs can be written again mount={mount} waited={most}",
                mount=mount,
                most=self._most.pop(mount),
            )
