"""Who is in a session, by a look at every process."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.system.sessions import session_members
from tests.system.fake_proc import FakeProc


class SessionMembersTests(SynchronousTestCase):
    """L{session_members}, in a made-up C{/proc}."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())

    def members(self, session: int) -> list[int]:
        return sorted(session_members(session, self.proc.root))

    def test_several(self) -> None:
        """Members are all of the session but its leader, which is not the frame's."""
        for pid, session in ((10, 10), (11, 10), (12, 10), (20, 20), (30, 30)):
            self.proc.process(pid, session=session)
        self.assertEqual(self.members(10), [11, 12])

    def test_nobody(self) -> None:
        """A session without processes is empty, not unknown."""
        self.assertEqual(self.members(10), [])

    def test_dead(self) -> None:
        """Zombies and the dead are not among the living; the stopped and the stuck are."""
        for pid, state in enumerate("ZXTDRS", start=11):
            self.proc.process(pid, session=10, state=state)
        self.assertEqual(self.members(10), [13, 14, 15, 16])

    def test_first_thread_ended(self) -> None:
        """A process whose first thread alone has ended looks dead, and lives."""
        self.proc.process(11, session=10, state="Z", threads=3)
        self.assertEqual(self.members(10), [11])

    def test_gone_meanwhile(self) -> None:
        """A process that goes while it is looked at was none, and nor is what is no number."""
        self.proc.process(11, session=10)
        self.proc.write("12/status", "")
        self.proc.write("13/stat", b"")
        self.proc.write("self/stat", b"14 (x) S 1 10 10 0\n")
        self.assertEqual(self.members(10), [11])

    @given(st.binary(max_size=15))
    def test_any_name(self, name: bytes) -> None:
        """A process may call itself anything, also like the rest of the line."""
        self.proc.process(11, session=10, name=name)
        self.assertEqual(self.members(10), [11])

    def test_name_like_a_line(self) -> None:
        """In particular like that of a process of another session."""
        self.proc.process(11, session=10, name=") Z 1 9 9 0")
        self.assertEqual((self.members(10), self.members(9)), ([11], []))
