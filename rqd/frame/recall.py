"""What a record says, read with suspicion: it may be torn, foreign, or of another version."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from rqd.frame.records import VERSION, KillNote, Whereabouts
from rqd.frame.users import Identity
from rqd.private import read_private
from rqd.system.gpus import Gpu
from rqd.system.reservations import Reservation

#: Bytes. A request has at most 4 MiB (gRPC's limit), a report as well, and a reason for a kill.
_LARGEST = 64 << 20
#: Bytes of reports that are read at a time.
_TOGETHER = 1 << 20
_MOST = 1 << 62
_BERTH = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class Recorded(NamedTuple):
    """What is known of a frame that an earlier agent took.

    ``started_at`` and ``modified`` (when the record was last written) are in seconds since the
    epoch, ``born`` in those of the monotonic clock. ``report`` is the completion, None while there
    was none; ``footer`` that of the log then.
    """

    key: str
    request: bytes
    started_at: float
    born: float
    reservation: Reservation
    where: Whereabouts
    identity: Identity | None
    spooled: bool
    script: str
    modified: float
    kill: KillNote | None = None
    report: bytes | None = None
    footer: bytes = b""


class Found(NamedTuple):
    """A record, and how many bytes at its end are a line that was never finished."""

    recorded: Recorded
    torn: int


def read(path: str) -> tuple[bytes, float]:
    """The text of a file of ours, and when it was written; raises OSError or ValueError."""
    return read_private(path, _LARGEST)


def recall(key: str, path: str) -> Recorded:
    """In a worker: a record; raises OSError or ValueError."""
    text, modified = read(path)
    return decode(key, text, modified).recorded


def reports(paths: Sequence[str]) -> list[bytes | Exception]:
    """In a worker: the reports that these records keep, or why not.

    Of the first ones, at least one: together they are not much larger than ``_TOGETHER``.
    """
    found: list[bytes | Exception] = []
    size = 0
    for path in paths:
        try:
            report = _report(path)
        except (OSError, ValueError) as problem:
            found.append(problem)
        else:
            found.append(report)
            size += len(report)
            if size >= _TOGETHER:
                break
    return found


def _report(path: str) -> bytes:
    """It is in the last line, or near it."""
    text, _ = read(path)
    whole, _, _ = text.rpartition(b"\n")
    for line in reversed(whole.split(b"\n")):
        with suppress(ValueError):
            return _bytes(_line(line), "report")
    raise ValueError(f"there is no report in {path}")


def decode(key: str, text: bytes, modified: float) -> Found:
    """Make sense of a record; raises ValueError, with a sentence.

    Only its first line must be right: whatever came after that, there was a frame. A later line
    that makes no sense says nothing.
    """
    whole, newline, torn = text.rpartition(b"\n")
    if not newline:
        raise ValueError("it is torn")
    first, *later = whole.split(b"\n")
    recorded = _begun(key, _line(first), modified)
    for line in later:
        try:
            recorded = _more(recorded, _line(line))
        except ValueError:
            continue
    return Found(recorded, len(torn))


def _line(text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    if not isinstance(content, dict):
        raise ValueError("it is no record")
    return content


def _begun(key: str, content: dict[str, Any], modified: float) -> Recorded:
    if content.get("version") != VERSION:
        raise ValueError(f"it is not of version {VERSION}")
    return Recorded(
        key=key,
        request=_bytes(content, "request"),
        started_at=_time(content, "started_at"),
        born=_time(content, "born"),
        reservation=_reservation(_typed(content, "reservation", dict)),
        where=_whereabouts(_typed(content, "where", dict)),
        identity=_identity(content.get("identity")),
        spooled=_typed(content, "spooled", bool),
        script=_script(key, _typed(content, "script", str)),
        modified=modified,
    )


def _more(recorded: Recorded, content: dict[str, Any]) -> Recorded:
    if "kill" in content:
        return recorded._replace(kill=_kill(_typed(content, "kill", dict)))
    if "where" in content:
        return recorded._replace(where=_whereabouts(_typed(content, "where", dict)))
    report, footer = _bytes(content, "report"), _bytes(content, "footer")
    return recorded._replace(report=report, footer=footer)


def _reservation(content: dict[str, Any]) -> Reservation:
    threads = [_number(thread) for thread in _typed(content, "threads", list)]
    gpus = [_gpu(gpu) for gpu in _typed(content, "gpus", list)]
    return Reservation(_number(content.get("points"), least=1), tuple(threads), tuple(gpus))


def _gpu(content: object) -> Gpu:
    if not isinstance(content, dict):
        raise ValueError(f"a GPU is {content!r:.40}")
    return Gpu(_typed(content, "uuid", str), _number(content.get("index")))


def _whereabouts(content: dict[str, Any]) -> Whereabouts:
    berth, group = _typed(content, "berth", str), _typed(content, "group", str)
    container = content.get("container") is True
    if not _BERTH.fullmatch(berth):
        raise ValueError(f"berth is {berth!r:.40}")
    named = container or os.path.basename(group) == berth
    if group and (not group.startswith("/") or not named or "\0" in group):
        raise ValueError(f"group is {group!r:.80}")
    return Whereabouts(
        berth=berth,
        supervisor=_number(content.get("supervisor"), least=0 if container else 2),
        start_ticks=_number(content.get("start_ticks")),
        boot_id=_typed(content, "boot_id", str),
        group=group,
        oom_kills=_number(content.get("oom_kills")),
        container=container,
    )


def _identity(content: object) -> Identity | None:
    if content is None:
        return None
    if not isinstance(content, list) or len(content) != 3 or not isinstance(content[2], list):
        raise ValueError(f"identity is {content!r:.40}")
    uid, gid, groups = content
    return Identity(
        _number(uid, least=1), _number(gid, least=1), tuple(_number(g, least=1) for g in groups)
    )


def _script(key: str, path: str) -> str:
    if not path.startswith("/") or os.path.basename(path) != f"openrqd-{key}.sh" or "\0" in path:
        raise ValueError(f"script is {path!r:.80}")
    return path


def _kill(content: dict[str, Any]) -> KillNote:
    patience = content.get("patience")
    return KillNote(
        reason=_typed(content, "reason", str),
        status=_perhaps(content.get("status")),
        signal=_perhaps(content.get("signal")),
        patience=None if patience is None else _time(content, "patience"),
        at=_time(content, "at"),
    )


def _perhaps(value: object) -> int | None:
    return None if value is None else _number(value)


def _number(value: object, *, least: int = 0) -> int:
    """Numbers that the kernel, or a message, has room for."""
    if type(value) is not int or not least <= value < _MOST:
        raise ValueError(f"a number is {value!r:.40}")
    return value


def _time(content: dict[str, Any], name: str) -> float:
    value: Any = content.get(name)
    if type(value) not in (int, float) or not 0 <= value < _MOST:  # NaN is neither
        raise ValueError(f"{name} is {value!r:.40}")
    return float(value)


def _typed(content: dict[str, Any], name: str, kind: type) -> Any:
    value = content.get(name)
    if type(value) is not kind:
        raise ValueError(f"{name} is {value!r:.40}")
    if isinstance(value, str):
        os.fsencode(value)  # a ValueError where no path and no log can hold it
    return value


def _bytes(content: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(_typed(content, name, str), validate=True)
