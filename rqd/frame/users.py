"""Whom a frame becomes (``run_as_user``): names resolved, root refused.

Look-ups may ask a directory server, so they run in worker threads, never on the reactor.
"""

from __future__ import annotations

import os
import pwd
from typing import NamedTuple

from rqd.frame.spec import FrameSpec
from rqd.refusals import InvalidRequest


class Identity(NamedTuple):
    """A user to become: never root, no group of root's."""

    uid: int
    gid: int
    groups: tuple[int, ...]


def resolve(spec: FrameSpec, default_uid: int, default_gid: int) -> Identity:
    """Return the identity that a frame runs under; blocking.

    The uid is the request's, else that of the user name, else the configured default. The group is
    the request's, else the user's primary one, else the default. Raises InvalidRequest where any of
    them turns out to be root's.
    """
    entry = _entry(spec)
    uid = spec.uid or (entry.pw_uid if entry else default_uid)
    gid = spec.gid or (entry.pw_gid if entry else default_gid)
    if uid == 0:
        raise InvalidRequest(f"user {spec.user_name!r} is root (uid 0): frames never run as root")
    if gid == 0:
        raise InvalidRequest(f"the group of user {spec.user_name!r} is root's (gid 0)")
    return Identity(uid, gid, _groups(entry, gid))


def _entry(spec: FrameSpec) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(spec.uid) if spec.uid is not None else pwd.getpwnam(spec.user_name)
    except (KeyError, ValueError):
        return None


def _groups(entry: pwd.struct_passwd | None, gid: int) -> tuple[int, ...]:
    """The supplementary groups of a known user, without root's."""
    if entry is None:
        return ()
    return tuple(sorted(set(os.getgrouplist(entry.pw_name, gid)) - {0}))
