"""The agent's logger: Twisted's, with a threshold in front.

What is below the threshold costs one comparison: it is neither formatted nor handed to observers,
also under ``twistd``, whose own observers know no levels.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.logger import Logger as TwistedLogger
from twisted.logger import LogLevel


class Logger(TwistedLogger):
    """A class-level logger; templates are constant and hold ``key={field}`` pairs."""

    _threshold: ClassVar[LogLevel] = LogLevel.info
    _of: ClassVar[dict[tuple[Logger, type], Logger]] = {}

    def __get__(self, instance: object, owner: type | None = None) -> Logger:
        """One for all objects of a class: events tell the class, and keep no object alive."""
        assert owner is not None
        if (self, owner) not in self._of:
            self._of[self, owner] = super().__get__(None, owner)  # type: ignore[assignment]
        return self._of[self, owner]

    def emit(self, level: LogLevel, format: str | None = None, **kwargs: Any) -> None:  # noqa: A002
        if level >= self._threshold:
            super().emit(level, format, **kwargs)


def set_threshold(name: str) -> None:
    """Let only events of this level (``debug`` to ``critical``) and above pass."""
    Logger._threshold = LogLevel.levelWithName(name)
