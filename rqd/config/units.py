"""
Durations and sizes as people write them: ``1h30m``, ``10ms``, ``2GB``, ``512MiB``.

Durations are seconds (float), sizes are bytes (int). What L{format_duration} and L{format_size}
write is read back as exactly the same value.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

#: Longest duration (seconds) that makes sense for any setting: ten years.
LONGEST_DURATION: Final = 3650 * 86400

#: Largest size (bytes): what still fits the signed 64 bits of the wire and of the kernel.
LARGEST_SIZE: Final = 2**63 - 1

_MICROSECONDS: Final = {
    **dict.fromkeys(("us", "µs", "usec"), 1),
    **dict.fromkeys(("ms", "msec"), 1_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1_000_000),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60_000_000),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600_000_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000_000),
}
_PREFIXES: Final = "kmgtpe"

_NUMBER: Final = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PLAIN: Final = re.compile(_NUMBER + r"(?:e[-+]?[0-9]{1,3})?", re.IGNORECASE)
_DURATION_PART: Final = re.compile(rf"\s*({_NUMBER})\s*([a-zµ]+)\s*")
_SIZE: Final = re.compile(rf"({_NUMBER})\s*(?:([{_PREFIXES}])(i?)b?|b|bytes?)", re.IGNORECASE)

#: Longest text looked at: far above any honest value, far below what makes arithmetic slow.
_LONGEST_TEXT: Final = 100

_DURATION_EXPECTED: Final = "expected a duration such as 10ms, 5s, 2m or 1h30m"
_SIZE_EXPECTED: Final = "expected a size such as 2GB, 512MiB or a number of bytes"


def parse_duration(value: object) -> float:
    """
    Read a duration.

    @param value: a number (seconds), or text: a plain number, or numbers with units.
    @return: seconds.
    @raise ValueError: with one sentence that says what was expected.
    """
    seconds = _plain_seconds(value) if _is_number(value) else _text_seconds(value)
    if seconds is None or not seconds >= 0:
        raise ValueError(_DURATION_EXPECTED)
    if seconds > LONGEST_DURATION:
        raise ValueError(f"expected a duration of at most {LONGEST_DURATION // 86400}d")
    return seconds


def parse_size(value: object) -> int:
    """
    Read a size. C{kB}, C{MB}, C{GB} … are powers of 1000, C{KiB}, C{MiB}, C{GiB} … of 1024; the
    case of the letters does not matter, and no unit means bytes.

    @return: bytes.
    @raise ValueError: with one sentence that says what was expected.
    """
    size = value if isinstance(value, int) and _is_number(value) else _text_size(value)
    if size is None or size < 0:
        raise ValueError(_SIZE_EXPECTED)
    if size > LARGEST_SIZE:
        raise ValueError("expected a size below 8EiB")
    return size


def format_duration(seconds: float) -> str:
    """Write seconds the way that L{parse_duration} reads back as the very same number."""
    microseconds = round(seconds * 1_000_000)
    if microseconds / 1_000_000 != seconds:
        return repr(seconds)
    text = ""
    for unit in ("h", "m", "s", "ms", "us"):
        count, microseconds = divmod(microseconds, _MICROSECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def format_size(size: int) -> str:
    """Write bytes in the largest unit that divides them, so that nothing is rounded."""
    for power in range(len(_PREFIXES), 0, -1):
        for base, suffix in ((1024, "iB"), (1000, "B")):
            if size and size % base**power == 0:
                return f"{size // base**power}{_PREFIXES[power - 1].upper()}{suffix}"
    return str(size)


def _is_number(value: object) -> bool:
    """True and false are no numbers here, although Python counts them among the ints."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _plain_seconds(value: object) -> float | None:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) else None


def _text_seconds(value: object) -> float | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    text = value.strip()
    if _PLAIN.fullmatch(text):
        return _plain_seconds(text)
    total, position = Fraction(0), 0
    while position < len(text):
        part = _DURATION_PART.match(text, position)
        if part is None or part[2] not in _MICROSECONDS:
            return None
        total += Fraction(part[1]) * _MICROSECONDS[part[2]]
        position = part.end()
    return float(total / 1_000_000) if text else None


def _text_size(value: object) -> int | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text)
    match = _SIZE.fullmatch(text)
    if match is None:
        return None
    base = 1024 if match[3] else 1000
    power = _PREFIXES.index(match[2].lower()) + 1 if match[2] else 0
    size = Fraction(match[1]) * base**power
    return int(size) if size.denominator == 1 else None
