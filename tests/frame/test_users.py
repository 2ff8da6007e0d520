"""Whom frames become, by this machine's own user database."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rqd.frame.users import Identity, resolve
from rqd.refusals import InvalidRequest
from tests.report.facts import frame_spec

#: Whom nobody has heard of.
NOBODY_KNOWN = 2_000_111


def resolved(*, default: tuple[int, int] = (1000, 20), **changes: Any) -> Identity:
    return resolve(frame_spec(**{"uid": None, "gid": 0} | changes), *default)


def some_user() -> pwd.struct_passwd:
    """A user of this machine who is nobody's root."""
    for entry in pwd.getpwall():
        if entry.pw_uid and entry.pw_gid and pwd.getpwuid(entry.pw_uid) == entry:
            return entry
    raise SkipTest("this machine knows root alone")


class ResolveTests(SynchronousTestCase):
    """L{resolve}."""

    def refused(self, sentence: str, **changes: Any) -> None:
        refusal = self.assertRaises(InvalidRequest, resolved, **changes)
        self.assertIn(sentence, refusal.detail)

    def test_by_uid(self) -> None:
        """A known uid brings its primary group and its supplementary ones."""
        user = some_user()
        identity = resolved(uid=user.pw_uid, user_name="no-such-user")
        groups = set(os.getgrouplist(user.pw_name, user.pw_gid)) - {0}
        self.assertEqual(identity, Identity(user.pw_uid, user.pw_gid, tuple(sorted(groups))))

    def test_by_name(self) -> None:
        """Without a uid the name decides."""
        user = some_user()
        identity = resolved(user_name=user.pw_name)
        self.assertEqual((identity.uid, identity.gid), (user.pw_uid, user.pw_gid))

    def test_group_of_request(self) -> None:
        """A group that was asked for comes before the user's own."""
        user = some_user()
        identity = resolved(uid=user.pw_uid, gid=4711)
        self.assertEqual(identity.gid, 4711)
        self.assertIn(4711, identity.groups)

    def test_unknown_uid(self) -> None:
        """A uid that this host has no name for is used as it is, with the default group."""
        identity = resolved(uid=NOBODY_KNOWN)
        self.assertEqual(identity, Identity(NOBODY_KNOWN, 20, ()))

    def test_unknown_name(self) -> None:
        """A name that this host doesn't know becomes the configured default."""
        for name in ("no-such-user", "", "a\0b", "é" * 500):
            self.assertEqual(resolved(user_name=name), Identity(1000, 20, ()))

    def test_root_by_name(self) -> None:
        """A name that resolves to uid 0 is refused as root."""
        name = pwd.getpwuid(0).pw_name
        self.refused(f"user {name!r} is root (uid 0): frames never run as root", user_name=name)
        self.refused("is root", user_name=name, gid=20)

    def test_root_by_uid(self) -> None:
        """So is uid 0 itself, should it ever come so far."""
        self.refused("is root", uid=0)

    def test_root_by_default(self) -> None:
        """And a default of 0 for a name that nobody knows."""
        self.refused("is root", user_name="no-such-user", default=(0, 20))

    def test_group_of_root(self) -> None:
        """A group that turns out to be root's is refused."""
        self.refused("is root's (gid 0)", uid=NOBODY_KNOWN, default=(1000, 0))

    def test_users_in_group_of_root(self) -> None:
        """So is a user whose primary group is root's (an old habit of some systems)."""
        for user in pwd.getpwall():
            if user.pw_uid and not user.pw_gid:
                self.refused("is root's (gid 0)", user_name=user.pw_name)

    def test_no_group_of_root(self) -> None:
        """Whoever it is: root's group is never among the supplementary ones."""
        members = {name for group in grp.getgrall() if not group.gr_gid for name in group.gr_mem}
        names = [some_user().pw_name, *members - {pwd.getpwuid(0).pw_name}]
        for name in names:
            with contextlib.suppress(InvalidRequest):
                self.assertNotIn(0, resolved(user_name=name).groups)
        asked = resolved(user_name=some_user().pw_name, gid=5)
        self.assertNotIn(0, asked.groups)
