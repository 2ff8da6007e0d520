"""Names in braces, replaced. A shell's own braces stay: ``${x}``, ``{ echo; }``, ``{1..3}``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_NAME = re.compile(r"(?<!\$)\{([A-Za-z_]\w*)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """``text`` with each known ``{name}`` replaced, once; others stay for a later filling."""
    return _NAME.sub(lambda match: values.get(match[1], match[0]), text)


def unknown(text: str, known: Collection[str]) -> list[str]:
    """The names in braces that nobody will fill."""
    return sorted({name for name in _NAME.findall(text) if name not in known})
