"""The frame's user in an image that does not know it: user databases of the frame's own.

Bound over ``/etc/passwd`` and ``/etc/group``, so the image stays as it is. Pure, but for ``find``.
"""

from __future__ import annotations

import grp
import pwd
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import NamedTuple

from rqd.containers.interface import Accounts
from rqd.frame.users import Identity

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
#: Users and groups below are the image's own affair; nobody else gets their names.
_SYSTEM = 1000


class Person(NamedTuple):
    """Whom a frame is inside. ``groups``: name and number of each, the primary one first."""

    name: str
    home: str
    groups: tuple[tuple[str, int], ...]


def unknown(identity: Identity, asked: str) -> Person:
    """Somebody of whom this host's user database tells nothing."""
    name = asked if _PLAIN.fullmatch(asked) else f"user{identity.uid}"
    numbers = dict.fromkeys((identity.gid, *identity.groups))
    return Person(name, "", tuple((f"group{number}", number) for number in numbers))


def find(identity: Identity, asked: str) -> Person:
    """Look somebody up; blocking. ``asked`` is the name in the request, which is the frame's."""
    person = unknown(identity, asked)
    with suppress(KeyError):
        entry = pwd.getpwuid(identity.uid)
        name = person.name if _PLAIN.fullmatch(asked) else entry.pw_name
        person = person._replace(name=name, home=entry.pw_dir)
    groups = tuple((_group_name(number, name), number) for name, number in person.groups)
    return person._replace(groups=groups)


def _group_name(number: int, otherwise: str) -> str:
    with suppress(KeyError):
        name = grp.getgrgid(number).gr_name
        return name if _PLAIN.fullmatch(name) else otherwise
    return otherwise


def with_person(image: Accounts, person: Person, identity: Identity, home: str) -> Accounts:
    """The image's databases with somebody added: first, so that the number has this name."""
    users = list(image.passwd.splitlines())
    name = person.name
    if _is_taken(name, identity.uid, users):
        name = f"user{identity.uid}"
    line = f"{name}:x:{identity.uid}:{identity.gid}:openrqd:{home}:/bin/sh".encode()
    groups = list(image.group.splitlines())
    own = [_free(each, groups, name if at else "") for at, each in enumerate(person.groups)]
    names = [each.split(b":", 1)[0] for each in own]
    return Accounts(
        _joined([line, *_without([name.encode()], users)]),
        _joined([*own, *_without(names, groups)]),
    )


def _free(group: tuple[str, int], lines: Iterable[bytes], member: str) -> bytes:
    name, number = group
    if _is_taken(name, number, lines):
        name = f"group{number}"
    return f"{name}:x:{number}:{member}".encode()


def _is_taken(name: str, number: int, lines: Iterable[bytes]) -> bool:
    """Whether the image has a user or group of the system with that name and another number."""
    for line in lines:
        fields = line.split(b":")
        if fields[0] == name.encode() and len(fields) > 2 and fields[2].isdigit():
            return int(fields[2]) < _SYSTEM and int(fields[2]) != number
    return False


def _without(names: Collection[bytes], lines: Iterable[bytes]) -> list[bytes]:
    return [line for line in lines if line.split(b":", 1)[0] not in names]


def _joined(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
