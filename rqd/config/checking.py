"""
From known keys to settings: every value validated, every mistake found in one go, then the rules
that hold between keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from voluptuous import All, MultipleInvalid, Schema

from rqd.config.errors import Notes, dotted, quoted
from rqd.config.keys import keys, schema
from rqd.config.settings import Settings
from rqd.config.units import format_duration

_Path = tuple[Any, ...]


def checked(tree: dict[str, Any], notes: Notes) -> Settings:
    """
    Make settings of a tree that holds known keys only.

    Wrong values are noted and their defaults taken, so that the rules between keys are checked
    as well, where all keys of a rule are right.
    """
    wrong: set[str] = {dotted(path) for path, _ in notes.problems}
    settings: Settings
    try:
        settings = _schema()(tree)
    except MultipleInvalid as problem:
        for path, sentence in _sentences(problem, tree):
            notes.problem(path, sentence)
            wrong.add(dotted(_key_path(path)))
        settings = _schema()(_without(tree, wrong))
    _check_rules(settings, wrong, notes)
    return settings


@cache
def _schema() -> Schema:
    return Schema(All(schema(Settings), lambda found: Settings(**found)))


def _sentences(problem: MultipleInvalid, tree: Any) -> list[tuple[_Path, str]]:
    found = []
    for error in problem.errors:
        path = tuple(part if isinstance(part, int) else str(part) for part in error.path)
        value, there = _look_up(tree, path)
        offending = f", not {quoted(value)}" if there else ""
        found.append((path, f"{error.msg}{offending}"))
    return sorted(found, key=lambda each: dotted(each[0]))


def _look_up(tree: Any, path: _Path) -> tuple[Any, bool]:
    """The value at a path, or the text that it was an element of; and whether there is one."""
    for part in path:
        if isinstance(tree, str):
            break
        try:
            tree = tree[part]
        except (KeyError, IndexError, TypeError):
            return None, False
    return tree, True


def _key_path(path: _Path) -> _Path:
    """The part of a path that names a key; the rest is inside of its value."""
    cls: type | None = Settings
    for length, part in enumerate(path, 1):
        cls = keys(cls)[part].nested if cls is not None and part in keys(cls) else None
        if cls is None:
            return path[:length]
    return path


def _without(tree: dict[str, Any], wrong: set[str], prefix: str = "") -> dict[str, Any]:
    return {
        name: _without(value, wrong, f"{prefix}{name}.") if isinstance(value, dict) else value
        for name, value in tree.items()
        if prefix + name not in wrong
    }


def _check_rules(settings: Settings, wrong: set[str], notes: Notes) -> None:
    for involved, check in _RULES:
        if wrong.isdisjoint(involved):
            check(settings, notes)


def _check_backoff(settings: Settings, notes: Notes) -> None:
    low, high = settings.grpc.backoff_delay_min, settings.grpc.backoff_delay_max
    if low > high:
        notes.problem(
            ("grpc", "backoff_delay_min"),
            f"expected at most grpc.backoff_delay_max ({format_duration(high)}), "
            f"not {format_duration(low)}",
        )


def _check_nimby(settings: Settings, notes: Notes) -> None:
    if settings.machine.nimby_lock_by_default and not settings.machine.nimby_mode:
        notes.warning("machine.nimby_lock_by_default: has no effect without machine.nimby_mode")


_RULES: Final[tuple[tuple[frozenset[str], Callable[[Settings, Notes], None]], ...]] = (
    (frozenset({"grpc.backoff_delay_min", "grpc.backoff_delay_max"}), _check_backoff),
    (frozenset({"machine.nimby_lock_by_default", "machine.nimby_mode"}), _check_nimby),
)
