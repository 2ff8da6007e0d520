"""
What single values may be. Each validator takes what YAML or a variable holds, returns the
setting, or raises C{voluptuous.Invalid} with one sentence that says what was expected; the place
and the offending value are added by whoever asked.

Numbers and truth values are taken from text, too: variables have nothing else.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

from voluptuous import All, Invalid, MultipleInvalid, Range, Schema

from rqd.config import units

Validator = Callable[[Any], Any]

_T = TypeVar("_T")

_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_WHOLE: Final = re.compile(r"[-+]?[0-9]{1,20}")
_DECIMAL: Final = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{0,20})?")


def text(value: object) -> str:
    """Printable text that is not empty."""
    if not isinstance(value, str):
        raise Invalid("expected text (a number or a truth value needs quotes)")
    stripped = value.strip()
    if not stripped or not stripped.isprintable():
        raise Invalid("expected printable text that is not empty")
    return stripped


def plain(value: object) -> str:
    """Printable text that may be empty."""
    return "" if value == "" else text(value)


def boolean(value: object) -> bool:
    """C{true} or C{false}, also as C{yes}, C{on}, C{1} and their opposites."""
    word = str(value).strip().lower() if isinstance(value, (bool, int, str)) else ""
    if word not in _TRUE | _FALSE:
        raise Invalid("expected true or false")
    return word in _TRUE


def integer(low: int, high: int) -> Validator:
    """A whole number within bounds, both included."""
    return All(_whole, Range(low, high, msg=f"expected a whole number from {low} to {high}"))


def number(low: float, high: float) -> Validator:
    """A number within bounds, both included."""
    return All(_finite, Range(low, high, msg=f"expected a number from {low:g} to {high:g}"))


def duration(value: object) -> float:
    """Seconds, zero allowed."""
    return _sentence(units.parse_duration, value)


def pace(value: object) -> float:
    """Seconds, above zero: for what is done again and again, and for deadlines."""
    seconds = duration(value)
    if not seconds:
        raise Invalid("expected a duration above zero")
    return seconds


def size(value: object) -> int:
    """Bytes, zero allowed."""
    return _sentence(units.parse_size, value)


def amount(value: object) -> int:
    """Bytes, above zero."""
    found = size(value)
    if not found:
        raise Invalid("expected a size above zero")
    return found


def one_of(*choices: str, **synonyms: str) -> Validator:
    """One of a few words, whatever their case; a synonym counts as the word it stands for."""

    def accept(value: object) -> str:
        word = value.strip().lower() if isinstance(value, str) else ""
        word = synonyms.get(word, word)
        if word not in choices:
            raise Invalid(f"expected one of {', '.join(choices)}")
        return word

    return accept


def pattern(value: object) -> str:
    """A regular expression in Python's syntax, for text."""
    if not isinstance(value, str) or not value:
        raise Invalid("expected a regular expression")
    try:
        value.encode()
        re.compile(value, re.MULTILINE)
    except (re.error, UnicodeEncodeError, OverflowError, RecursionError) as problem:
        raise Invalid(f"expected a regular expression ({problem})") from None
    return value


def variable_name(value: object) -> str:
    """The name of an environment variable."""
    name = text(value)
    if "=" in name or any(letter.isspace() for letter in name):
        raise Invalid("expected the name of an environment variable")
    return name


def command(value: object) -> tuple[str, ...]:
    """
    A program and its arguments: a list, or one text that is split as a shell would, quotes and all.
    No shell runs it, so a text that needs one is refused instead of being taken for arguments.
    """
    if isinstance(value, str):
        value = _split(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
        raise Invalid("expected a command: one text, or a list of texts")
    if not value or not value[0] or not all(map(_is_plain, value)):
        raise Invalid("expected a command that begins with a program")
    return tuple(value)


def _split(line: str) -> list[str]:
    if set("|&;<>()[]$`*?\n") & set(line):
        raise Invalid("expected a command without a shell's operators (or: [/bin/sh, -c, ...])")
    try:
        return shlex.split(line)
    except ValueError as problem:
        raise Invalid(f"expected a command ({problem})") from None


def absolute_path(value: object) -> str:
    """A path from the root, as the kernel takes it."""
    if not isinstance(value, str) or not _is_plain(value):
        raise Invalid("expected a path")
    if not value.startswith("/"):
        raise Invalid("expected an absolute path")
    return value


def optional(accept: Validator) -> Validator:
    """L{None} stays L{None}: the setting is not set."""

    def accept_or_none(value: object) -> Any:
        return None if value is None else accept(value)

    return accept_or_none


def listing(accept: Validator) -> Validator:
    """A list, or one text with commas; every bad element is named, not only the first."""
    schema = Schema(accept)

    def accept_all(value: object) -> tuple[Any, ...]:
        if isinstance(value, str):
            value = [part for part in map(str.strip, value.split(",")) if part]
        if not isinstance(value, (list, tuple)):
            raise Invalid("expected a list")
        return tuple(_each(schema, enumerate(value)).values())

    return accept_all


def section(value: object) -> dict[Any, Any]:
    """Keys and values; which ones, is looked at next."""
    if not isinstance(value, dict):
        raise Invalid("expected keys and values")
    return value


def mapping(accept: Validator) -> Validator:
    """A mapping from text to values."""
    schema = Schema(accept)

    def accept_all(value: object) -> Mapping[str, Any]:
        found = section(value)
        if not all(isinstance(name, str) and name.isprintable() for name in found):
            raise Invalid("expected keys that are text (a number needs quotes)")
        return MappingProxyType(_each(schema, found.items()))

    return accept_all


def _each(schema: Schema, pairs: Any) -> dict[Any, Any]:
    accepted, errors = {}, []
    for place, value in pairs:
        try:
            accepted[place] = schema(value)
        except MultipleInvalid as problem:
            problem.prepend([place])
            errors.extend(problem.errors)
    if errors:
        raise MultipleInvalid(errors)
    return accepted


def _sentence(parse: Callable[[object], _T], value: object) -> _T:
    """Keep the sentence of a C{ValueError}: voluptuous would replace it by its own."""
    try:
        return parse(value)
    except ValueError as problem:
        raise Invalid(str(problem)) from None


def _whole(value: object) -> int:
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Invalid("expected a whole number")


def _finite(value: object) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise Invalid("expected a number")


def _is_plain(value: str) -> bool:
    """No NUL, and nothing that UTF-8 can't say."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
