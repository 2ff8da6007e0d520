"""Places that wait for frames."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.berths import READY, Berth, Berths, NoBerth
from rqd.frame.members import GroupMembers, SessionMembers
from rqd.frame.records import STATE
from rqd.system.cgroups import CgroupTree
from tests.frame.place import Place


class BerthsCase(SynchronousTestCase):
    """Berths in a folder, C{ready} of them started."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.folder = self.place.state / "berths"
        self.berths = self.place.berths(None)

    def take(self, berths: Berths | None = None) -> Berth:
        return self.successResultOf((berths or self.berths).take())

    def waiting(self) -> list[Any]:
        """The processes that wait for orders."""
        return [process for process in self.place.reactor.spawned if process.waits]

    def nothing_left(self) -> None:
        self.place.reactor.advance(1)
        self.assertEqual(os.listdir(self.folder), [])


class TakeTests(BerthsCase):
    """L{Berths.take}."""

    def test_ahead(self) -> None:
        """Some wait before anybody asks; a frame gets one of them at once."""
        self.berths.start()
        self.assertEqual(len(self.waiting()), READY)
        self.assertIn(self.take().supervisor.pid, [process.pid for process in self.waiting()])
        self.assertEqual(len(self.place.reactor.spawned), READY)

    def test_replenished(self) -> None:
        """When the last is taken more are made, a moment later."""
        self.berths.start()
        for _ in range(READY):
            self.take()
        self.assertEqual(len(self.place.reactor.spawned), READY)
        self.place.reactor.advance(0.1)
        self.assertEqual(len(self.place.reactor.spawned), 2 * READY)

    def test_more_than_there_are(self) -> None:
        """Who comes when none is left gets one that is made, each a different one."""
        self.berths.start()
        berths = [self.take() for _ in range(20)]
        self.assertEqual(len({berth.supervisor.pid for berth in berths}), 20)
        self.assertEqual(len({berth.chain for berth in berths}), 20)

    def test_again(self) -> None:
        """One that was given back is taken again, its chain file as if it were new."""
        berth = self.take()
        self.place.process.begin()
        born = b"born %d\n" % berth.supervisor.pid
        self.assertNotEqual(berth.read_chain(), born)
        self.berths.start()
        self.berths.give_back(berth)
        self.assertIs(self.take(), berth)
        berth.tidy()
        self.assertEqual(berth.read_chain(), born)

    def test_again_after_a_full_disk(self) -> None:
        """What a full disk did not take of the first line is not made up: all the rest goes.

        The end of an earlier frame would else be that of the next.
        """
        for left in (b"", b"born 1"):
            berth = self.take()
            Path(berth.chain).write_bytes(left + b"up\nexit 0\n")
            self.berths.start()
            self.berths.give_back(berth)
            self.assertIs(self.take(), berth)
            berth.tidy()
            self.assertEqual(berth.read_chain(), b"")

    def test_given_to_who_waits(self) -> None:
        """Who waits gets the first that is given back."""
        berth = self.take()
        self.place.workers.hold(STATE)
        waiting = self.berths.take()
        self.assertNoResult(waiting)
        self.berths.give_back(berth)
        self.assertIs(self.successResultOf(waiting), berth)

    def test_too_many(self) -> None:
        """When it gets quiet those go that are too many."""
        self.berths.start()
        for berth in [self.take() for _ in range(20)]:
            self.berths.give_back(berth)
        self.place.reactor.pump([1.0] * 10)
        self.assertEqual(len(self.waiting()), READY)
        self.assertEqual(len(os.listdir(self.folder)), READY)

    def test_many_wait(self) -> None:
        """Many that wait for a slow disk are all served, in their order."""
        self.place.workers.hold(STATE)
        waiting = [self.berths.take() for _ in range(9)]
        self.place.workers.release(STATE)
        pids = [self.successResultOf(berth).supervisor.pid for berth in waiting]
        self.assertEqual(pids, sorted(pids))

    def test_one_that_died(self) -> None:
        """One whose supervisor died while it waited is not given out."""
        self.berths.start()
        self.waiting()[-1].die(9)
        self.assertTrue(self.take().supervisor.running)
        self.assertEqual(len(self.place.reactor.spawned), READY)

    def test_members(self) -> None:
        """Its processes are those of its session, or of its control group."""
        self.assertIsInstance(self.take().members(), SessionMembers)
        tree = self.place.folder / "tree"
        tree.mkdir()
        members = self.take(self.place.berths(CgroupTree(tree))).members()
        assert isinstance(members, GroupMembers)
        self.assertEqual(members.group.parent, tree)


class TroubleTests(BerthsCase):
    """No berth is to be had."""

    def failed(self, taken: Deferred[Berth]) -> str:
        return str(self.failureResultOf(taken, NoBerth).value)

    def test_state_folder(self) -> None:
        """A state folder that is gone is a reason, and the next try may succeed."""
        self.folder.rmdir()
        self.berths.start()
        self.assertIn("the state folder can't take the frame", self.failed(self.berths.take()))
        self.folder.mkdir()
        self.take()

    def test_process_refused(self) -> None:
        """So is a kernel that refuses a process; nothing is left of the try."""
        self.place.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        self.assertIn("the process can't be started: [Errno 11]", self.failed(self.berths.take()))
        self.nothing_left()

    def test_half_way(self) -> None:
        """Where one is refused, no group and no descriptor is left of those made with it."""
        tree = self.place.folder / "tree"
        tree.mkdir()
        groups = CgroupTree(tree)
        berths = self.place.berths(groups)
        self.take(berths)
        before = len(os.listdir("/proc/self/fd"))
        made: list[Path] = []

        def create(key: str) -> Path:
            if made:
                raise OSError(28, "No space left on device")
            made.append(CgroupTree.create(groups, key))
            return made[-1]

        self.patch(groups, "create", create)
        self.place.workers.hold(STATE)
        berths.start()
        waiting = berths.take()
        self.patch(os, "unlink", self.read_only)
        self.place.workers.release(STATE)
        self.failed(waiting)
        self.assertEqual(len(made), 1)
        self.assertEqual(len(os.listdir(tree)), 1)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def read_only(self, path: str) -> None:
        raise OSError(30, "Read-only file system")

    def test_groups_refused(self) -> None:
        """And a control group that can't be made."""
        berths = self.place.berths(CgroupTree(Path("/proc/nowhere")))
        before = len(os.listdir("/proc/self/fd"))
        self.assertIn("/proc/nowhere", self.failed(berths.take()))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.nothing_left()


class EndTests(BerthsCase):
    """What goes when it isn't needed any more."""

    def test_discard(self) -> None:
        """One that is of no use any more is left; its chain file stays until it was read."""
        berth = self.take()
        self.successResultOf(self.berths.discard(berth))
        self.assertFalse(berth.supervisor.running)
        berth.remove()
        self.nothing_left()

    def test_discard_with_group(self) -> None:
        """Its control group goes, too."""
        tree = self.place.folder / "tree"
        tree.mkdir()
        berths = self.place.berths(CgroupTree(tree))
        berth = self.take(berths)
        self.assertEqual(len(os.listdir(tree)), 1)
        self.successResultOf(berths.discard(berth))
        self.assertEqual(os.listdir(tree), [])

    def test_stop(self) -> None:
        """Those that wait are dismissed, those that were taken are not."""
        self.berths.start()
        taken = self.take()
        self.successResultOf(self.berths.stop())
        self.assertTrue(taken.supervisor.running)
        self.assertEqual(len(self.waiting()), 1)
        self.place.reactor.advance(1)
        self.assertEqual(os.listdir(self.folder), [Path(taken.chain).name])

    def test_stop_while_made(self) -> None:
        """Those that are just being made are dismissed as soon as they are."""
        self.place.workers.hold(STATE)
        self.berths.start()
        self.successResultOf(self.berths.stop())
        self.place.workers.release(STATE)
        self.assertEqual(self.waiting(), [])
        self.nothing_left()

    def test_chain(self) -> None:
        """What a chain said can be read; one that is gone said nothing."""
        berth = self.take()
        self.place.process.begin()
        self.assertIn(b"up\n", berth.read_chain())
        berth.remove()
        berth.remove()
        self.assertIsNone(berth.read_chain())
