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
        self.assertIn(self.take().process.pid, [process.pid for process in self.waiting()])
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
        self.assertEqual(len({berth.process.pid for berth in berths}), 20)
        self.assertEqual(len({berth.chain for berth in berths}), 20)

    def test_many_wait(self) -> None:
        """Many that wait for a slow disk are all served, in their order."""
        self.place.workers.hold(STATE)
        waiting = [self.berths.take() for _ in range(9)]
        self.place.workers.release(STATE)
        pids = [self.successResultOf(berth).process.pid for berth in waiting]
        self.assertEqual(pids, sorted(pids))

    def test_one_that_died(self) -> None:
        """One whose supervisor died while it waited is not given out."""
        self.berths.start()
        self.waiting()[0].end(137)
        self.assertTrue(self.take().process.running)

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
        """One that no frame came to leaves nothing."""
        self.successResultOf(self.berths.discard(self.take()))
        self.nothing_left()

    def test_stop(self) -> None:
        """Those that wait are dismissed, those that were taken are not."""
        self.berths.start()
        taken = self.take()
        self.successResultOf(self.berths.stop())
        self.assertTrue(taken.process.running)
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
        self.assertEqual(berth.read_chain(), b"")
