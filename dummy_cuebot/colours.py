"""Colour, where someone looks at it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TextIO

# Text and style in, text out.
Painter = Callable[[str, str], str]

_CODES = {"dim": "2", "bold": "1", "good": "32", "bad": "31", "busy": "36", "odd": "33"}


def plain(text: str, style: str) -> str:
    return text


def coloured(text: str, style: str) -> str:
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def painter(stream: TextIO) -> Painter:
    """Colours on a terminal, unless NO_COLOR is set; plain text when piped."""
    return coloured if stream.isatty() and not os.environ.get("NO_COLOR") else plain
