"""
The way from a file and the environment to settings, step by step.

Read, keep what is known, lay variables over it, fill in paths, validate. Nothing is decided
before all steps have looked, so that a person sees every mistake at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from rqd.config.checking import checked
from rqd.config.errors import ConfigurationError, Notes, dotted, origin_of, quoted
from rqd.config.files import SYSTEM_FILE, read_first
from rqd.config.keys import Key, keys, leaves
from rqd.config.paths import resolve
from rqd.config.settings import Settings
from rqd.config.tidying import tidy
from rqd.config.variables import overlay

#: The origin of a value that nobody set.
DEFAULT: Final = "default"


class Loaded(NamedTuple):
    """
    Settings, and how they came to be.

    @ivar origins: for each dotted key C{default}, the file's path, or the variable's name.
    @ivar warnings: what was odd, a line each.
    @ivar path: the file that was read, if any.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    path: str | None


def load(path: str | None, environ: Mapping[str, str], *, system_file: str = SYSTEM_FILE) -> Loaded:
    """
    Load the configuration.

    @param path: the file that was asked for; L{None} looks in the usual places.
    @raise ConfigurationError: with every problem there is.
    """
    notes = Notes()
    found, tree = read_first(path, environ, system_file)
    tree = tidy(tree, Settings, notes)
    given = [dotted(name) for name, _ in leaves(Settings) if _get(tree, name) is not None]
    origins = dict.fromkeys(given, found) if found else {}
    _lay_over(tree, origins, environ, notes)
    _fill_in_paths(tree, origins, found, environ, notes)
    settings = checked(tree, notes)
    if notes.problems:
        around = {} if found is None else dict.fromkeys(keys(Settings), found)
        raise ConfigurationError(_lines(notes, around | origins), notes.warnings)
    every = {dotted(name): origins.get(dotted(name), DEFAULT) for name, _ in leaves(Settings)}
    return Loaded(settings, MappingProxyType(every), tuple(notes.warnings), found)


def _lay_over(
    tree: dict[str, Any], origins: dict[str, str], environ: Mapping[str, str], notes: Notes
) -> None:
    """Put what variables say over what the file says."""
    for assignment in overlay(environ, notes):
        name = dotted(assignment.path)
        if assignment.entry is None:
            origins[name] = assignment.variable
            _put(tree, assignment.path, assignment.value)
        else:
            origins[name] = ", ".join(filter(None, (origins.get(name), assignment.variable)))
            _put_entry(tree, assignment.path, assignment.entry, assignment.value)


def _fill_in_paths(
    tree: dict[str, Any],
    origins: Mapping[str, str],
    found: str | None,
    environ: Mapping[str, str],
    notes: Notes,
) -> None:
    """Expand paths, those of defaults as well: the caller's environment counts, not ours."""
    for path, each in leaves(Settings):
        text = _get(tree, path, each.path_default)
        if each.is_path and isinstance(text, str):
            in_file = found is not None and origins.get(dotted(path)) == found
            base = os.path.dirname(found) if in_file and found else os.curdir
            try:
                _put(tree, path, _located(text, base, each, environ))
            except ValueError as problem:
                notes.problem(path, f"{problem}, not {quoted(text)}")
                _drop(tree, path)


def _located(text: str, base: str, each: Key, environ: Mapping[str, str]) -> str:
    if not each.relative:
        return resolve(text, base=None, environ=environ)
    return os.path.abspath(resolve(text, base=base, environ=environ))


def _lines(notes: Notes, origins: Mapping[str, str]) -> list[str]:
    """Each problem as one line, in the order of the keys' names."""
    lines = []
    for path, sentence in sorted(notes.problems, key=lambda each: dotted(each[0])):
        origin = origin_of(path, origins)
        lines.append(f"{dotted(path)}: {sentence}" + (f" ({origin})" if origin else ""))
    return lines


def _get(tree: Any, path: tuple[str, ...], default: Any = None) -> Any:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return default if tree is None else tree


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    if value is not None:
        tree[path[-1]] = value


def _put_entry(tree: dict[str, Any], path: tuple[str, ...], entry: str, value: Any) -> None:
    """Add to a mapping; one that is none stays as it is, to be complained about."""
    mapping = _get(tree, path, {})
    if isinstance(mapping, dict):
        _put(tree, path, {**mapping, entry: value})


def _drop(tree: dict[str, Any], path: tuple[str, ...]) -> None:
    _get(tree, path[:-1], {}).pop(path[-1], None)
