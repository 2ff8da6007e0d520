"""What the loader says when a configuration can't be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from reprlib import Repr
from typing import Any


class ConfigurationError(Exception):
    """
    The configuration can't be used.

    @ivar problems: every one of them, a line each, with the key and the offending value.
    @ivar warnings: what was odd beside them, a line each.
    """

    def __init__(self, problems: Iterable[str], warnings: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(self.problems))


class Notes:
    """
    What was noticed while loading; filled by each step.

    @ivar problems: sentences by the path of the key that they are about.
    @ivar warnings: finished sentences.
    """

    def __init__(self) -> None:
        self.problems: list[tuple[tuple[Any, ...], str]] = []
        self.warnings: list[str] = []

    def problem(self, path: tuple[Any, ...], sentence: str) -> None:
        """Note what makes the configuration unusable."""
        self.problems.append((path, sentence))

    def warning(self, sentence: str) -> None:
        """Note what a person may want to put right."""
        self.warnings.append(sentence)


def dotted(path: Iterable[object]) -> str:
    """A path as people write it: C{runner.docker_mounts[0].target}."""
    text = ""
    for part in path:
        if isinstance(part, int) and not isinstance(part, bool):
            text += f"[{part}]"
        else:
            word = str(part)
            text += ("." if text else "") + (word if word.isprintable() else ascii(word))
    return text


def quoted(value: object) -> str:
    """A value for a message: one line, short even for a tree that is huge or contains itself."""
    return " ".join(_SHORT.repr(value).split())


def origin_of(path: tuple[Any, ...], origins: Mapping[str, str]) -> str | None:
    """Where the value at a path came from: its own origin, or that of the key around it."""
    for length in range(len(path), 0, -1):
        origin = origins.get(dotted(path[:length]))
        if origin is not None:
            return origin
    return None


_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_SHORT.maxlevel = 2
