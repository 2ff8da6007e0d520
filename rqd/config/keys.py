"""
What a configuration key is: a dataclass field that carries its own validator, documentation and
spelling. Everything that walks over settings (validation, variables, printing) reads this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, field, fields
from typing import Any, NamedTuple

from voluptuous import All, Optional, Required

from rqd.config import values
from rqd.config.paths import escape, resolve
from rqd.config.values import Validator, absolute_path, listing, mapping, optional

Show = Callable[[Any], object]


def _as_is(value: Any) -> object:
    return value


class Key(NamedTuple):
    """
    One configuration key.

    @ivar doc: one line for people.
    @ivar accept: takes what the file or a variable holds, returns the setting or raises
        C{voluptuous.Invalid}. Unused for a C{nested} section.
    @ivar show: the setting as the YAML value that C{accept} takes back.
    @ivar is_path: whether C{~} and variables are filled in.
    @ivar path_default: the default of a path as written, before variables are filled in.
    @ivar relative: whether a relative path starts at the configuration file's folder.
    @ivar nested: the dataclass of a section.
    @ivar item: the dataclass of the elements of a list.
    @ivar entries: whether it is a mapping with free keys.
    """

    doc: str
    accept: Validator = _as_is
    show: Show = _as_is
    is_path: bool = False
    path_default: str | None = None
    relative: bool = False
    nested: type | None = None
    item: type | None = None
    entries: bool = False


def key(default: Any, accept: Validator, doc: str, show: Show = _as_is) -> Any:
    """A plain setting. A default of L{None} means that the key may be left unset."""
    chosen = optional(accept) if default is None else accept
    return field(default=default, metadata={"key": Key(doc, chosen, show)})


def required(accept: Validator, doc: str) -> Any:
    """A setting without a default, for the elements of lists."""
    return field(metadata={"key": Key(doc, accept)})


def path_key(default: str | None, doc: str, *, relative: bool = True) -> Any:
    """A path. The default may hold variables, which are filled in when the settings are made."""
    accept = absolute_path if default is not None else optional(absolute_path)
    metadata = {"key": Key(doc, accept, _show_path, True, default, relative)}
    if default is None:
        return field(default=None, metadata=metadata)
    text = default
    return field(
        default_factory=lambda: resolve(text, base="/", environ=os.environ), metadata=metadata
    )


def list_key(
    default: tuple[Any, ...], accept: Validator, doc: str, whole: Validator = _as_is
) -> Any:
    """
    A list of plain values, also written as one text with commas.

    @param whole: has the last word on the tuple of accepted elements.
    """
    return field(default=default, metadata={"key": Key(doc, All(listing(accept), whole), list)})


def items_key(item: type, build: Validator, doc: str) -> Any:
    """
    A list of small records.

    @param build: makes one from its accepted values.
    """
    accept = listing(All(values.section, schema(item), build))
    return field(default=(), metadata={"key": Key(doc, accept, _show_items, item=item)})


def entries_key(accept: Validator, doc: str) -> Any:
    """A mapping from free names to values."""
    metadata = {"key": Key(doc, mapping(accept), dict, entries=True)}
    return field(default_factory=lambda: mapping(accept)({}), metadata=metadata)


def section(cls: type, doc: str) -> dict[str, Key]:
    """The metadata of a section: settings of its own under one name."""
    return {"key": Key(doc, nested=cls)}


def key_of(each: Field[Any]) -> Key:
    """The key that a settings field was declared with."""
    found: Key = each.metadata["key"]
    return found


def keys(cls: type) -> dict[str, Key]:
    """The keys of a settings class by name, in order."""
    return {each.name: key_of(each) for each in fields(cls)}


def schema(cls: type) -> dict[Any, Any]:
    """A settings class as a voluptuous schema; what has a default may be left out."""
    return {_marker(each): _acceptance(key_of(each)) for each in fields(cls)}


def leaves(cls: type, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Key]]:
    """Every key that is not a section, with its path, in order."""
    for name, each in keys(cls).items():
        if each.nested is None:
            yield (*prefix, name), each
        else:
            yield from leaves(each.nested, (*prefix, name))


def _marker(each: Field[Any]) -> Any:
    optional_here = each.default is not MISSING or each.default_factory is not MISSING
    return Optional(each.name) if optional_here else Required(each.name, msg="missing")


def _acceptance(each: Key) -> Any:
    if each.nested is None:
        return each.accept
    cls = each.nested
    return All(values.section, schema(cls), lambda found: cls(**found))


def _show_path(path: str | None) -> object:
    return None if path is None else escape(path)


def _show_items(items: tuple[Any, ...]) -> object:
    return [
        {name: each.show(getattr(item, name)) for name, each in keys(type(item)).items()}
        for item in items
    ]
