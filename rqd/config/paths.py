"""
Paths in settings: C{~} and C{$NAME} stand for what the environment says, and a relative path
starts at the folder of the file that it was written in.

Pure text work: nothing here touches a file system, which may be a hung NFS mount.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

_VARIABLE: Final = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>\w+)|\{(?P<braced>\w+)\})", re.ASCII)

#: Where temporary files go when C{$TMPDIR} does not say.
_SYSTEM_TEMP: Final = "/tmp"


def home(environ: Mapping[str, str]) -> str:
    """
    The home folder. A service started at boot often has no C{$HOME}: then the one of the user
    database.
    """
    return environ.get("HOME") or _recorded_home()


def resolve(text: str, *, base: str | None, environ: Mapping[str, str]) -> str:
    """
    Expand C{~}, C{$NAME} and C{${NAME}} (C{$$} is a plain dollar sign), and make it absolute.

    @param base: the folder that relative paths start at; L{None} leaves them as they are.
    @raise ValueError: for an unset variable or an empty path, with one sentence.
    """
    if text == "~" or text.startswith("~/"):
        text = escape(home(environ)) + text[1:]
    expanded = _VARIABLE.sub(lambda match: _value(match, environ), text)
    if not expanded or "\0" in expanded:
        raise ValueError("expected a path")
    return expanded if base is None else os.path.normpath(os.path.join(base, expanded))


def escape(path: str) -> str:
    """Write a path so that L{resolve} finds no variable in it."""
    return path.replace("$", "$$")


def _value(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    name = match["name"] or match["braced"]
    if name == "HOME":
        return home(environ)
    value = environ.get(name) or (_SYSTEM_TEMP if name == "TMPDIR" else None)
    if value is None:
        raise ValueError(f"expected a path whose variables are set ({name} is not)")
    return value


def _recorded_home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return "/"
