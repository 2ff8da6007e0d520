"""
Which configuration file counts, and what it holds.

The first file found is the only one read. A path that was asked for (option, variable) must
exist; the usual places may be empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from rqd.config.errors import ConfigurationError
from rqd.config.paths import home

#: Where a farm puts the configuration of its hosts.
SYSTEM_FILE: Final = "/etc/openrqd/rqd.yaml"

#: Where a user keeps one of their own, below the home folder.
USER_FILE: Final = ".local/share/rqd.yaml"

#: Names the file, where C{--config} does not.
FILE_VARIABLE: Final = "OPENCUE_RQD_CONFIG"

#: Levels of nesting that are looked at: what is far deeper would overflow libyaml's C stack.
_DEEPEST: Final = 100

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_first(
    path: str | None, environ: Mapping[str, str], system_file: str
) -> tuple[str | None, dict[Any, Any]]:
    """
    Read the file that counts.

    @return: its absolute path and what it holds; L{None} and nothing, if there is none.
    """
    asked = path or environ.get(FILE_VARIABLE)
    if asked:
        return _read(asked)
    for place in (system_file, os.path.join(home(environ), USER_FILE)):
        if _is_there(place):
            return _read(place)
    return None, {}


def read_text(text: str | bytes) -> Any:
    """
    Read one YAML document. A key that is given twice is an error: one of the two would be lost
    without a word.

    @raise yaml.YAMLError: with the place, where there is one.
    @raise ValueError: for values such as a 13th month.
    """
    _refuse_depth(text)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        _refuse_duplicates(root)
        return None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()


def one_line(problem: Exception) -> str:
    """What is wrong with a YAML text, as one line."""
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark is not None:
        mark = problem.problem_mark
        sentence = " ".join(filter(None, (problem.context, problem.problem)))
        return f"line {mark.line + 1}, column {mark.column + 1}: {sentence}"
    return " ".join(str(problem).split())


def _read(place: str) -> tuple[str, dict[Any, Any]]:
    content = _content(place)
    return os.path.abspath(place), _parsed(place, content)


def _is_there(place: str) -> bool:
    """False as well for a place in a folder that this user may not look into."""
    return os.path.exists(place)


def _content(place: str) -> bytes:
    try:
        with open(place, "rb") as stream:
            return stream.read()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise ConfigurationError([f"{place}: cannot be read: {reason}"]) from None


def _parsed(place: str, content: bytes) -> dict[Any, Any]:
    try:
        tree = read_text(content)
    except (yaml.YAMLError, ValueError) as problem:
        raise ConfigurationError([f"{place}: {one_line(problem)}"]) from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigurationError([f"{place}: expected sections such as grpc: and runner:"])
    return tree


def _refuse_depth(text: str | bytes) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise yaml.composer.ComposerError(None, None, "nested too deeply", event.start_mark)  # type: ignore[arg-type]


def _refuse_duplicates(root: yaml.Node | None) -> None:
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_duplicate_keys(node)
        waiting.extend(_children(node))


def _refuse_duplicate_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                sentence = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, sentence, key.start_mark)
            seen.add((key.tag, key.value))


def _children(node: yaml.CollectionNode) -> Iterator[yaml.Node]:
    for child in node.value:
        yield from child if isinstance(child, tuple) else (child,)
