"""
Settings from environment variables: C{OPENRQD__GRPC__RQD_PORT}, one for each key.

A variable wins over the file. Lists are written with commas, lists of records and whole mappings
as YAML on one line, single entries of a mapping with a further C{__}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import yaml

from rqd.config.errors import Notes, quoted
from rqd.config.files import one_line, read_text
from rqd.config.keys import Key, leaves
from rqd.config.settings import Settings
from rqd.config.tidying import RETIRED, nearest, tidied

PREFIX: Final = "OPENRQD__"

_Known = Mapping[str, tuple[tuple[str, ...], Key]]


def variable_of(path: tuple[str, ...]) -> str:
    """The variable that sets a key."""
    return PREFIX + "__".join(path).upper()


class Assignment(NamedTuple):
    """
    What one variable says.

    @ivar path: the key.
    @ivar entry: the name within a mapping, if only that entry is set.
    @ivar value: L{None}, if it could not be read.
    """

    variable: str
    path: tuple[str, ...]
    entry: str | None
    value: Any


def overlay(environ: Mapping[str, str], notes: Notes) -> list[Assignment]:
    """What the variables say, in the order of their names."""
    known = {variable_of(path): (path, each) for path, each in leaves(Settings)}
    found = []
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX):
            name, entry = _split(variable.upper(), known)
            if name is None:
                _note_unknown(variable, notes)
            else:
                path, each = known[name]
                value = _read(environ[variable], path, each, entry, notes)
                found.append(Assignment(variable, path, entry, value))
    return found


def _split(variable: str, known: _Known) -> tuple[str | None, str | None]:
    """The known variable in a variable's name, and the entry that it goes on to name."""
    if variable in known:
        return variable, None
    for name, (_, each) in known.items():
        entry = variable.removeprefix(name + "__")
        if each.entries and entry not in ("", variable):
            return name, entry.lower()
    return None, None


def _read(text: str, path: tuple[str, ...], each: Key, entry: str | None, notes: Notes) -> Any:
    if entry is not None or not (each.item or each.entries):
        return text
    try:
        return tidied(read_text(text), each, notes, path)
    except (yaml.YAMLError, ValueError) as problem:
        notes.problem(path, f"{one_line(problem)}, in {quoted(text)}")
        return None


def _note_unknown(name: str, notes: Notes) -> None:
    key = name[len(PREFIX) :].lower().replace("__", ".")
    if key in RETIRED:
        notes.warning(f"{name}: has no meaning here: {RETIRED[key]}")
        return
    closest = nearest(key, [".".join(path) for path, _ in leaves(Settings)])
    notes.warning(
        f"{name if name.isprintable() else ascii(name)}: unknown variable, ignored; "
        f"the nearest known one is {variable_of(tuple(closest.split('.')))}"
    )
