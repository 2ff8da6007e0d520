"""Settings as a commented YAML file, which loads to the same settings again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from rqd.config.keys import Key, keys
from rqd.config.loading import Loaded


def render(loaded: Loaded) -> str:
    """Every setting in effect, each line with where it came from."""
    return "\n".join(_section(loaded.settings, loaded, (), 0)) + "\n"


def _section(settings: Any, loaded: Loaded, path: tuple[str, ...], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for name, each in keys(type(settings)).items():
        value = getattr(settings, name)
        if each.nested is not None:
            yield f"{indent}{name}:  # {each.doc}"
            yield from _section(value, loaded, (*path, name), depth + 1)
        else:
            origin = _comment(loaded.origins[".".join((*path, name))])
            for line in _lines(name, each, value):
                yield f"{indent}{line}  # {origin}"


def _lines(name: str, each: Key, value: Any) -> Iterator[str]:
    shown = each.show(value)
    if each.item is not None and isinstance(shown, list) and shown:
        yield f"{name}:"
        yield from (f"  - {_flow(item)}" for item in shown)
    else:
        yield f"{name}: {_flow(shown)}"


def _flow(value: object) -> str:
    """A value as YAML on one line, in ASCII."""
    text: str = yaml.dump(
        value, Dumper=yaml.SafeDumper, default_flow_style=True, width=2**31, sort_keys=False
    )
    return text.removesuffix("...\n").rstrip("\n")


def _comment(text: str) -> str:
    return text if text.isprintable() else ascii(text)
