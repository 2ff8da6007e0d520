"""Processes that frames left while no agent was there."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.adopted import LeftSession, left_in
from rqd.frame.leftovers import end, orphans
from rqd.frame.members import GroupMembers, IMembers, SessionMembers
from rqd.frame.records import KillNote
from tests.frame.earlier import PID
from tests.frame.fakes import FakeMembers
from tests.frame.place import NOW
from tests.frame.test_recovery import RUNS, RecoveryCase
from tests.system.fake_proc import FakeProc

MARK = b"logfile=/logs/job.0001.rqlog"


class SessionTests(SynchronousTestCase):
    """``LeftSession``, in a ``/proc`` that is made up."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.session = LeftSession(PID, MARK, self.proc.root)

    def process(self, pid: int, environ: bytes) -> None:
        self.proc.process(pid, session=PID)
        self.proc.write(f"{pid}/environ", environ)

    def test_ours(self) -> None:
        """One that has the frame's environment speaks for all of the session."""
        self.process(PID + 1, b"A=1\0" + MARK + b"\0B=2\0")
        self.process(PID + 2, b"")
        self.assertEqual(sorted(self.session.pids()), [PID + 1, PID + 2])

    def test_foreign(self) -> None:
        """A session that got the number later is nobody's business."""
        self.process(PID + 1, b"A=1\0" + MARK + b"x\0")
        self.process(PID + 2, b"X" + MARK + b"\0")
        self.proc.process(PID + 3, session=PID)
        self.assertEqual(self.session.pids(), [])

    def test_number_used_again(self) -> None:
        """Whoever leads a session of that number now is not killed, though it be there."""
        with subprocess.Popen(["cat"], stdin=-1, start_new_session=True) as foreign:
            LeftSession(foreign.pid, MARK).kill()
            LeftSession(foreign.pid, b"").kill()
            self.assertEqual(foreign.communicate(b"")[0], None)
            self.assertEqual(foreign.returncode, 0)

    def test_no_mark(self) -> None:
        """After a reboot nothing is a frame's."""
        self.process(PID + 1, b"\0")
        self.assertEqual(LeftSession(PID, b"", self.proc.root).pids(), [])


class EndTests(SynchronousTestCase):
    """Ending what is left."""

    def end(self, members: IMembers) -> None:
        clock = Clock()
        work = Deferred.fromCoroutine(end(members, "left", reactor=clock))
        while members.pids():
            clock.advance(0.05)
        clock.advance(0.05)
        self.assertTrue(self.successResultOf(work))

    def test_group(self) -> None:
        """What is in a group is killed; what isn't is not."""
        group = Path(self.mktemp())
        group.mkdir()
        procs = group / "cgroup.procs"
        with subprocess.Popen(["sleep", "300"]) as left, subprocess.Popen(["cat"], stdin=-1) as cat:
            procs.write_text(f"{left.pid}\n")
            clock = Clock()
            work = Deferred.fromCoroutine(end(left_in(group), "left", reactor=clock))
            self.assertEqual(left.wait(), -9)
            procs.write_text("")
            clock.advance(0.05)
            self.assertTrue(self.successResultOf(work))
            self.assertIsNone(cat.poll())
            cat.communicate()

    def test_session(self) -> None:
        """So it is for a session of ours."""
        waiting = "(echo up; read line <&3)"  # no exec, in the middle of which none has a name
        command = ["sh", "-c", f"exec 3<&0; {waiting} & exec >&-; wait"]
        environment = {"PATH": "/bin:/usr/bin", "logfile": "/logs/job.0001.rqlog"}
        with subprocess.Popen(
            command, stdin=-1, stdout=-1, env=environment, start_new_session=True
        ) as leader:
            assert leader.stdout is not None
            leader.stdout.readline()
            session = LeftSession(leader.pid, MARK)
            self.assertEqual(len(session.pids()), 1)
            self.end(session)
            leader.wait()

    def test_nothing(self) -> None:
        """Where nothing is left nothing is done."""
        members = FakeMembers()
        self.end(members)
        self.assertEqual(members.kills, 0)

    def test_in_vain(self) -> None:
        """What can't be killed is told."""
        members = FakeMembers(11)
        members.deaf_to_kill = 1 << 30
        clock = Clock()
        work = Deferred.fromCoroutine(end(members, "left", reactor=clock))
        clock.pump([0.05] * 202)
        self.assertFalse(self.successResultOf(work))


class OrphanTests(SynchronousTestCase):
    """``orphans``."""

    def test_orphans(self) -> None:
        """Files beside a record, or one that was set aside, are somebody's."""
        names = ["a.record", "a.spool", "b.record.bad", "b.checkpoint", "c.spool", "d.x"]
        self.assertEqual(orphans(names), ["c.spool"])


class MembersTests(RecoveryCase):
    """What tells the processes of an adopted frame."""

    def group(self, *pids: int) -> str:
        group = self.place.folder / "tree" / "b1"
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        return str(group)

    def test_group(self) -> None:
        """Its group, if that is what its supervisor is in."""
        self.running(group=self.group(PID, PID + 1))
        self.recover()
        (frame,) = self.place.roster.all()
        assert isinstance(frame.members, GroupMembers)
        self.assertEqual(frame.members.pids(), [PID + 1])

    def test_not_in_group(self) -> None:
        """Else its session."""
        self.running(group=self.group())
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertIsInstance(frame.members, SessionMembers)

    def test_group_gone(self) -> None:
        """So it is where the group is no more."""
        self.running(group="/sys/fs/cgroup/nowhere/b1")
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertIsInstance(frame.members, SessionMembers)

    def test_left_in_group(self) -> None:
        """What a frame left in its group while no agent was there is ended."""
        with subprocess.Popen(["sleep", "300"]) as left:
            group = self.group(left.pid)
            self.earlier.frame(chain=RUNS + b"exit 0\n", group=group)
            self.recover()
            self.place.rest()
            self.assertEqual(left.wait(), -9)
            self.assertEqual(self.reports, [b"0/0 "])

    def test_left_of_reported(self) -> None:
        """So is what one left whose report is on disk."""
        with subprocess.Popen(["sleep", "300"]) as left:
            group = self.group(left.pid)
            self.earlier.frame(chain=RUNS, group=group, report=b"report")
            self.recover()
            self.assertEqual(left.wait(), -9)

    def test_killed_and_reported(self) -> None:
        """One that was killed, and of which something lives, holds its cores until that is dead."""
        with subprocess.Popen(["sleep", "300"]) as left:
            group = self.group(left.pid)
            kill = KillNote("enough", None, None, None, NOW)
            self.earlier.frame(chain=RUNS, group=group, report=b"report", kill=kill)
            self.recover()
            self.assertEqual(self.place.ledger.counts().booked, 100)
            self.assertIn("100 core points of job.0001-layer", self.place.withholding.reason)
            self.assertEqual(left.wait(), -9)
            Path(group, "cgroup.procs").write_text("")
            self.place.reactor.advance(1)
            self.assertEqual(self.place.ledger.counts().booked, 0)
            self.assertEqual(self.place.withholding.reason, "")

    def test_killed_and_not_reported(self) -> None:
        """So does one whose end is not even judged: nobody gets its cores before it is dead."""
        with subprocess.Popen(["sleep", "300"]) as left:
            group = self.group(left.pid)
            kill = KillNote("enough", None, None, None, NOW)
            self.earlier.frame(chain=RUNS, group=group, kill=kill)
            self.recover()
            self.assertEqual(self.place.ledger.counts().booked, 100)
            self.assertEqual(left.wait(), -9)
            Path(group, "cgroup.procs").write_text("")
            self.place.reactor.advance(0.05)
            self.place.turn()
            self.assertEqual(self.reports, [b"1/9 enough"])
            self.assertEqual(self.place.ledger.counts().booked, 0)
