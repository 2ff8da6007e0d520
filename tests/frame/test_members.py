"""The processes of a frame, by control group or by session."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rqd.frame.members import GroupMembers, IMembers, SessionMembers
from tests.system.fake_proc import FakeProc

#: No process has such a pid: the kernel stops at 2^22.
NOBODY = 1 << 23
SUPERVISOR = NOBODY + 1


@contextmanager
def as_nobody(folder: str | Path) -> Iterator[None]:
    """In a folder, and without the right to signal what is root's (where the tests run as root)."""
    users, place = os.getresuid(), os.getcwd()
    os.chmod(folder, 0o755)
    os.chdir(folder)
    if 0 in users:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(*users)
        os.chdir(place)


class GroupMembersTests(SynchronousTestCase):
    """L{GroupMembers}, in a folder that looks like a control group."""

    def setUp(self) -> None:
        self.group = Path(self.mktemp())
        self.group.mkdir()
        self.procs = self.group / "cgroup.procs"
        self.procs.write_text(f"{NOBODY}\n{os.getpid()}\n")
        self.members = GroupMembers(self.group, SUPERVISOR, counts_oom_kills=True)

    def test_interface(self) -> None:
        """It provides what a frame needs of its members."""
        verifyObject(IMembers, self.members)

    def test_pids(self) -> None:
        """All that the group holds, also the second time; none where there is no group."""
        self.assertEqual(self.members.pids(), [NOBODY, os.getpid()])
        self.procs.write_text(f"{os.getpid()}\n")
        self.assertEqual(self.members.pids(), [os.getpid()])
        gone = GroupMembers(self.group / "gone", SUPERVISOR, counts_oom_kills=True)
        self.assertEqual(gone.pids(), [])

    def test_membership(self) -> None:
        """Statistics are sampled of these, whatever sessions they opened."""
        membership = self.members.membership()
        self.assertEqual(list(membership.pids), [NOBODY, os.getpid()])
        self.assertFalse(membership.session)

    def test_oom_kills(self) -> None:
        """What the kernel killed in the group for want of memory is counted where that is known."""
        self.assertEqual(self.members.oom_kills(), 0)
        (self.group / "memory.events").write_text("oom 2\noom_kill 1\n")
        self.assertEqual(self.members.oom_kills(), 1)

    def test_send(self) -> None:
        """A signal goes to each; who is gone meanwhile doesn't keep it from the others."""
        self.assertEqual(self.members.send(0), 2)

    def test_fork_of_the_supervisor(self) -> None:
        """What the supervisor has forked, and is not the frame yet, would not hear it."""
        shell = subprocess.Popen(
            ["/bin/sh", "-c", "(echo; read line); :", "openrqd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert shell.stdin is not None and shell.stdout is not None
        shell.stdout.readline()
        (fork,) = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
        self.procs.write_text(f"{shell.pid}\n{fork}\n{os.getpid()}\n")
        members = GroupMembers(self.group, shell.pid, counts_oom_kills=False)
        self.assertEqual(members.pids(), [int(fork), os.getpid()])
        self.assertEqual(members.send(0), 1)
        shell.communicate(b"")

    def test_send_to_others(self) -> None:
        """Nor does who isn't ours to signal."""
        self.procs.write_text("1\n")
        self.procs.chmod(0o644)
        with as_nobody(self.group):
            self.assertEqual(GroupMembers(Path("."), SUPERVISOR, counts_oom_kills=False).send(0), 1)

    def test_wake(self) -> None:
        """The supervisor is woken too, and one that is gone is fine."""
        heard: list[int] = []
        previous = signal.signal(signal.SIGCONT, lambda number, _: heard.append(number))
        self.addCleanup(signal.signal, signal.SIGCONT, previous)
        self.procs.write_text("")
        self.members.wake()
        self.assertEqual(heard, [])
        GroupMembers(self.group, os.getpid(), counts_oom_kills=False).wake()
        self.assertEqual(heard, [signal.SIGCONT])

    def test_kill(self) -> None:
        """The kernel kills all of the group at once where it can."""
        (self.group / "cgroup.kill").touch()
        self.members.kill()
        self.assertEqual((self.group / "cgroup.kill").read_text(), "1")

    def test_supervisor(self) -> None:
        """The supervisor is in the group, but is none of the frame's."""
        self.procs.write_text(f"{SUPERVISOR}\n")
        self.assertEqual(self.members.pids(), [])


class SessionMembersTests(SynchronousTestCase):
    """L{SessionMembers}, in a made-up C{/proc}."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.proc.process(SUPERVISOR, session=SUPERVISOR, name="sh")
        self.proc.process(NOBODY, session=SUPERVISOR)
        self.proc.process(os.getpid(), session=NOBODY)
        self.members = SessionMembers(SUPERVISOR, self.proc.root)

    def test_interface(self) -> None:
        """It provides what a frame needs of its members."""
        verifyObject(IMembers, self.members)

    def test_pids(self) -> None:
        """The processes of the session, but not the supervisor, which is the agent's."""
        self.assertEqual(self.members.pids(), [NOBODY])

    def test_zombies(self) -> None:
        """A zombie is dead."""
        self.proc.process(NOBODY, session=SUPERVISOR, state="Z")
        self.assertEqual(self.members.pids(), [])

    def test_membership(self) -> None:
        """Statistics are sampled of the session."""
        self.assertEqual(self.members.membership().session, SUPERVISOR)

    def test_oom_kills(self) -> None:
        """Of a session nobody counts what the kernel killed."""
        self.assertEqual(self.members.oom_kills(), 0)

    def test_send(self) -> None:
        """A signal goes to each; who is gone meanwhile doesn't keep it from the others."""
        self.proc.process(os.getpid(), session=SUPERVISOR)
        self.assertEqual(self.members.send(0), 2)

    def test_send_to_others(self) -> None:
        """Nor does who isn't ours to signal."""
        self.proc.process(1, session=SUPERVISOR)
        with as_nobody(self.proc.root):
            self.assertEqual(SessionMembers(SUPERVISOR, ".").send(0), 2)

    def test_kill(self) -> None:
        """Nobody is killed who is gone."""
        self.members.kill()

    def test_kill_leader(self) -> None:
        """The leader's process group is killed, whatever is seen of it, if it is still that one."""
        with subprocess.Popen(["cat"], stdin=-1, start_new_session=True) as leader:
            pid = leader.pid
            self.proc.process(pid, session=pid, start_ticks=1000)
            members = SessionMembers(pid, self.proc.root)
            self.proc.process(pid, session=pid, start_ticks=2000)
            members.kill()
            self.assertIsNone(leader.poll())
            self.proc.process(pid, session=pid, start_ticks=1000)
            members.kill()
            self.assertEqual(leader.wait(), -signal.SIGKILL)

    def test_wake(self) -> None:
        """A supervisor that is gone is fine."""
        self.members.wake()

    def test_supervisor(self) -> None:
        """The supervisor alone is no frame, and a zombie is nothing."""
        self.proc.process(NOBODY, session=SUPERVISOR, state="Z")
        self.assertEqual(self.members.pids(), [])
