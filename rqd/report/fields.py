"""Values that fit the fields of messages.

Numbers are kept within the range of their fields and text within Unicode: one odd fact of one
process must not lose a whole report.
"""

from __future__ import annotations

from collections.abc import Mapping


def text(value: str) -> str:
    """Replace what has no UTF-8: bytes of a file system or a command line that were none."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def texts(values: Mapping[str, str]) -> dict[str, str]:
    return {text(name): text(value) for name, value in values.items()}


def int32(number: float) -> int:
    return _fitted(number, 1 << 31)


def int64(number: float) -> int:
    return _fitted(number, 1 << 63)


def _fitted(number: float, limit: int) -> int:
    if -limit <= number < limit:
        return int(number)
    return limit - 1 if number > 0 else -limit
