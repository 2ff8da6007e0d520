"""Prints rqd.yaml(5): every key as the agent itself knows it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ.update(HOME="$HOME", TMPDIR="$TMPDIR")  # defaults are shown as they are written

from rqd import __version__
from rqd.config.keys import Key, key_of
from rqd.config.settings import Settings

_HEAD = r""".TH RQD.YAML 5 "" "openrqd {version}" "openrqd"
.SH NAME
rqd.yaml \- configuration of the OpenCue render-host agent
.SH SYNOPSIS
.I /etc/openrqd/rqd.yaml
.SH DESCRIPTION
A YAML file. Without it, and for each key that it leaves out, the defaults hold that are given here.
.BR openrqd (8)
reads the file named by
.BR \-\-config ,
else by
.BR $OPENCUE_RQD_CONFIG ,
else
.IR /etc/openrqd/rqd.yaml ,
else
.IR ~/.local/share/rqd.yaml .
.PP
A variable wins over the file:
.B OPENRQD__GRPC__RQD_PORT
is
.B rqd_port
in
.BR grpc .
Durations are written as
.BR 30s ,
.BR "1m 30s" ;
a number is seconds. Sizes are written as
.BR 512MiB ,
.BR 1GiB ;
a number is bytes. In paths,
.B ~
and variables are filled in.
.PP
.B openrqd \-\-validate\-config
names every problem of the file at once;
.B openrqd \-\-print\-config
prints every key with where its value came from.
"""
_TAIL = r""".SH SEE ALSO
.BR openrqd (8)
"""


def page() -> str:
    """The whole page, as roff."""
    sections = "".join(_section(each.name, key_of(each)) for each in fields(Settings))
    return _HEAD.format(version=__version__) + sections + _TAIL


def _section(name: str, key: Key) -> str:
    assert key.nested is not None
    return f".SH {name}\n{_sentence(key.doc)}\n" + "".join(_keys(key.nested, name))


def _keys(cls: type, path: str) -> Iterator[str]:
    for each in fields(cls):
        key, here = key_of(each), f"{path}.{each.name}"
        if key.nested is not None:
            yield from _keys(key.nested, here)
            continue
        yield f".TP\n.B {_escaped(here)}\n{_sentence(key.doc)}\n"
        if key.item is not None:
            names = (
                f"\\fB{_escaped(inner.name)}\\fR: {_escaped(key_of(inner).doc)}"
                for inner in fields(key.item)
            )
            yield "Each entry has: " + "; ".join(names) + ".\n"
        yield f"Default: {_default(cls, each.name, key)}.\n"


def _default(cls: type, name: str, key: Key) -> str:
    if key.path_default is not None:
        return _escaped(key.path_default)
    value: Any = key.show(getattr(cls(), name))
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return _escaped(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _sentence(text: str) -> str:
    return _escaped(text[0].upper() + text[1:].rstrip(".") + ".")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")


if __name__ == "__main__":
    sys.stdout.write(page())
