"""Reading a mapping out of a YAML file field by field, with every mistake noted, none raised."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any


class Fields:
    """One mapping at ``path`` of the file. Mistakes go to ``problems``, shared by all of them;
    a field that is wrong or missing reads as its default, so that reading goes on."""

    def __init__(self, data: Any, path: str, problems: list[str]) -> None:
        self._path = path
        self._problems = problems
        self._asked: list[str] = []
        self._data: Mapping[Any, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            problems.append(f"{path or 'the file'}: expected a mapping, got {data!r}")

    def at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def wrong(self, key: str, why: str) -> None:
        self._problems.append(f"{self.at(key)}: {why}")

    def any(self, key: str, default: Any) -> Any:
        self._asked.append(key)
        return self._data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """A string that isn't empty; a default of None makes it required."""
        value = self.any(key, default)
        if value is None:
            self.wrong(key, "is missing")
        elif not isinstance(value, str) or not value.strip():
            self.wrong(key, f"expected text, got {value!r}")
        else:
            return value
        return default or ""

    def number(self, key: str, default: float, least: float) -> float:
        value = self.any(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= least:
            self.wrong(key, f"expected a number from {least:g} up, got {value!r}")
            return default
        return value

    def optional_number(self, key: str, least: float) -> float | None:
        """A number, or None where the key isn't set."""
        return None if self.any(key, None) is None else self.number(key, least, least)

    def whole(self, key: str, default: int, least: int) -> int:
        value = self.number(key, default, least)
        if not isinstance(value, int):
            self.wrong(key, f"expected a whole number, got {value!r}")
            return default
        return value

    def flag(self, key: str) -> bool:
        value = self.any(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f"expected true or false, got {value!r}")
        return value is True

    def names(self, key: str) -> tuple[str, ...]:
        value = self.any(key, [])
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            self.wrong(key, f"expected a list of names, got {value!r}")
            return ()
        return tuple(value)

    def strings(self, key: str) -> dict[str, str]:
        """A mapping of text to text; numbers are taken as text."""
        value = self.any(key, {})
        if not isinstance(value, dict) or not all(
            isinstance(name, str) and isinstance(item, (str, int, float))
            for name, item in value.items()
        ):
            self.wrong(key, f"expected a mapping of text to text, got {value!r}")
            return {}
        return {name: str(item) for name, item in value.items()}

    def finish(self) -> None:
        """Every key was asked for: what is left is unknown."""
        for key in self._data:
            if key not in self._asked:
                near = difflib.get_close_matches(str(key), self._asked, 1)
                hint = f", did you mean {near[0]}?" if near else ""
                self._problems.append(f"{self.at(str(key))}: unknown key{hint}")
