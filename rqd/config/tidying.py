"""
From what was written to what is known: accepted spellings, placeholders, and unknown keys.

Upstream's files hold C{"": ""} in otherwise empty sections, mounts of empty texts, and two keys
with a dot. None of them is a mistake here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rqd.config.errors import Notes, dotted, quoted
from rqd.config.keys import Key, keys
from rqd.config.settings import Settings

_Path = tuple[Any, ...]

_SPELLINGS: Final = {
    "docker.mounts": "docker_mounts",
    "docker.images": "docker_images",
    "bind-propagation": "bind_propagation",
}

#: Keys of other agents that have no meaning here, with the reason.
RETIRED: Final = {
    "machine.use_session_id_for_proc_lineage": (
        "a process always belongs to its frame by cgroup, else by session"
    ),
}


def tidy(tree: dict[Any, Any], cls: type, notes: Notes, path: _Path = ()) -> dict[str, Any]:
    """
    Keep the known keys of a section that have a value; say a word about the others.

    @param cls: the settings class that describes the section.
    @param path: where the section is.
    """
    known = keys(cls)
    kept: dict[str, Any] = {}
    for written, value in tree.items():
        name = _SPELLINGS.get(written, written) if isinstance(written, str) else written
        if written == "" and value in ("", None):
            continue
        if not isinstance(name, str) or name not in known:
            _note_unknown((*path, str(written)), cls, notes)
        elif name in kept or (name != written and name in tree):
            notes.warning(f"{dotted((*path, written))}: ignored, {name} is there, too")
        elif value is not None:
            kept[name] = tidied(value, known[name], notes, (*path, name))
    return kept


def nearest(name: str, candidates: list[str]) -> str:
    """
    The known name that was most likely meant: one that ends alike (right key, wrong section),
    else the most similar one.
    """
    from difflib import get_close_matches

    ending = name.rpartition(".")[2]
    alike = [each for each in candidates if each.rpartition(".")[2] == ending]
    return (alike or get_close_matches(name, candidates, n=1, cutoff=0.0))[0]


def known_names(cls: type, prefix: str = "") -> Iterator[str]:
    """The dotted names of all sections and keys."""
    for name, each in keys(cls).items():
        yield prefix + name
        if each.nested is not None:
            yield from known_names(each.nested, f"{prefix}{name}.")


def tidied(value: Any, each: Key, notes: Notes, path: _Path) -> Any:
    """The value of one key, without placeholders and unknown keys inside of it."""
    if each.nested is not None:
        return _section(value, each.nested, notes, path)
    if each.item is not None and isinstance(value, list):
        return [
            tidy(item, each.item, notes, (*path, place)) if isinstance(item, dict) else item
            for place, item in enumerate(value)
            if not _is_placeholder(item)
        ]
    if each.entries and isinstance(value, dict):
        return {name: entry for name, entry in value.items() if name != "" or entry != ""}
    return value


def _section(value: Any, cls: type, notes: Notes, path: _Path) -> dict[str, Any]:
    if isinstance(value, dict):
        return tidy(value, cls, notes, path)
    notes.problem(path, f"expected keys and values, not {quoted(value)}")
    return {}


def _is_placeholder(item: Any) -> bool:
    return isinstance(item, dict) and all(value in ("", None) for value in item.values())


def _note_unknown(path: _Path, cls: type, notes: Notes) -> None:
    name = dotted(path)
    if name in RETIRED:
        notes.warning(f"{name}: has no meaning here: {RETIRED[name]}")
        return
    in_list = any(isinstance(part, int) for part in path[:-1])
    around = dotted(path[:-1]) + "."
    candidates = list(known_names(cls, around) if in_list else known_names(Settings))
    closest = nearest(name, candidates)
    notes.warning(f"{name}: unknown key, ignored; the nearest known one is {closest}")
