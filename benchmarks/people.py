"""The user that frames name."""

from __future__ import annotations

import pwd
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class User:
    """A user of this machine who isn't root."""

    name: str
    uid: int
    gid: int


def render_user() -> User:
    """The first ordinary user, else nobody; always someone whom an agent accepts."""
    for entry in pwd.getpwall():
        if 1000 <= entry.pw_uid < 60000:
            return User(entry.pw_name, entry.pw_uid, entry.pw_gid)
    return User("nobody", 65534, 65534)
