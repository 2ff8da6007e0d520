"""The frames of a host, and who may join them."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.exits import FrameEnd
from rqd.frame.lifecycle import Frame
from rqd.frame.phases import END_PATIENCE, Phase
from rqd.frame.roster import WHOLE
from rqd.logging.mounts import WorkersStopped
from rqd.refusals import (
    AlreadyRunning,
    NotEnough,
    Refused,
    Unavailable,
    UnknownFrame,
    WrongState,
)
from rqd.system.condition import HostCondition
from rqd.system.gpus import Gpu
from rqd.system.usage import FrameUsage
from tests.frame.fakes import FakeMembers, composed
from tests.frame.place import Place


class RosterCase(SynchronousTestCase):
    """A roster of a host of four cores."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.roster = self.place.roster

    def launch(self, frame_id: str = "f", **changes: Any) -> Frame:
        """A frame that starts."""
        frame = self.place.launch(frame_id=frame_id, **changes)
        self.place.turn()
        return frame

    def end(self, index: int = 0, status: int = 0) -> None:
        """A frame ends by itself."""
        process = self.place.reactor.spawned[index]
        process.begin()
        process.end(status)
        self.place.turn()

    @property
    def reports(self) -> list[bytes]:
        return [report for _, report in self.place.posted]


class LaunchTests(RosterCase):
    """Who may run here."""

    def test_answer(self) -> None:
        """A launch is answered once its frame is on disk."""
        self.place.workers.hold("state")
        frame = self.launch()
        self.assertNoResult(self.place.launched)
        self.place.workers.release("state")
        self.assertIs(self.successResultOf(self.place.launched), frame)

    def test_not_taken(self) -> None:
        """One that can't be put on disk is refused and forgotten, and nobody hears of an end."""
        self.place.workers.hold("state")
        self.launch()
        (self.place.state / "frames").rmdir()
        self.place.workers.release("state")
        self.place.turn()
        self.failureResultOf(self.place.launched, Unavailable)
        self.assertEqual((self.roster.all(), self.reports), ([], []))
        self.successResultOf(self.roster.when_empty())

    def test_launch(self) -> None:
        """A frame is known from its launch on, before anything of it has happened."""
        self.place.workers.hold("state")
        frame = self.launch()
        self.assertIs(frame.phase, Phase.ACCEPTED)
        self.assertIs(self.roster.get("f"), frame)
        self.assertEqual(self.roster.all(), [frame])

    def refused(self, refusal: type[Refused], **changes: Any) -> str:
        """A launch that is refused changes nothing."""
        before = self.place.ledger.counts(), self.roster.all(), self.place.left()
        problem = self.assertRaises(refusal, self.launch, **changes)
        self.assertEqual((self.place.ledger.counts(), self.roster.all(), self.place.left()), before)
        return problem.detail

    def test_duplicate(self) -> None:
        """A frame that runs here is not started again."""
        self.launch()
        self.assertIn("'f' runs here already", self.refused(AlreadyRunning))

    def test_again(self) -> None:
        """One that ended may be, also while its report is on its way; it has a name of its own."""
        first = self.launch()
        self.end()
        second = self.launch()
        self.assertNotEqual(first.key, second.key)
        self.place.rest()
        self.roster.settled(first.key)
        self.place.reactor.advance(1)
        self.assertIs(self.roster.get("f"), second)
        self.assertTrue(all(name.find(first.key) < 0 for name in self.place.left()))
        self.assertIn(f"{second.key}.record", self.place.left())

    def test_too_large(self) -> None:
        """A frame that doesn't fit is refused, and may come again when there is room."""
        self.launch("a", num_cores=300)
        self.assertIn("200 core points wanted", self.refused(NotEnough, num_cores=200))
        self.end()
        self.launch(num_cores=200)

    def test_gpus(self) -> None:
        """A frame has the GPUs that it asked for to itself, until it ends."""
        gpus = [Gpu("GPU-a", 0), Gpu("GPU-b", 1)]
        self.place.ledger.offer_gpus(gpus)
        frame = self.launch("a", num_gpus=2)
        self.assertEqual(list(frame.reservation.gpus), gpus)
        self.assertIn("1 GPU wanted, 0 free", self.refused(NotEnough, num_gpus=1))
        self.end()
        self.launch(num_gpus=1)

    def test_condition(self) -> None:
        """A host that takes no frames says why; who runs goes on."""
        self.launch("a")
        self.place.condition = HostCondition(stopping="shutting down")
        self.assertEqual(self.refused(Unavailable), "shutting down")
        self.place.condition = HostCondition(nimby_locked=True)
        self.refused(WrongState)
        self.assertEqual(len(self.roster.all()), 1)
        self.launch("b", ignore_nimby=True)

    def test_expected(self) -> None:
        """A launch that is on its way is known: it can't come twice, and a kill ends it."""
        self.roster.expect("f")
        self.assertIn("'f' runs here already", self.refused(AlreadyRunning))
        self.roster.kill("f", "not wanted")
        self.assertRaises(WrongState, self.roster.expect_no_more, "f")
        self.assertRaises(UnknownFrame, self.roster.kill, "f", "not wanted")
        self.launch()

    def test_state_folder_silent(self) -> None:
        """A state folder that has said nothing for a while: nobody waits for it."""
        self.launch("a")
        self.place.workers.hold("state")
        self.place.disk.run(lambda: None)
        self.place.reactor.advance(7)
        self.assertEqual(self.refused(Unavailable), "the state folder has not answered for 7 s")
        self.place.workers.release("state")
        self.launch()

    def test_shared_resource(self) -> None:
        """Two frames of one resource id are two frames."""
        self.launch("a", resource_id="r")
        self.launch("b", resource_id="r")
        self.assertEqual(len(self.place.reactor.spawned), 2)


class EndTests(RosterCase):
    """How frames leave."""

    def test_report(self) -> None:
        """An ended frame is unknown from then on, and its report is posted under its key."""
        frame = self.launch()
        self.end(status=3)
        self.assertEqual(self.place.posted, [(frame.key, b"3/0 ")])
        self.assertRaises(UnknownFrame, self.roster.get, "f")

    def test_order(self) -> None:
        """Reports are posted in the order of ending."""
        self.launch("a")
        self.launch("b")
        self.end(1, status=2)
        self.end(0, status=1)
        self.assertEqual(self.reports, [b"2/0 ", b"1/0 "])

    def test_settled(self) -> None:
        """The files of a frame are kept until Cuebot has its report, and not longer."""
        frame = self.launch()
        self.end()
        self.place.reactor.advance(3600)
        self.assertIn(f"{frame.key}.record", self.place.left())
        self.roster.settled(frame.key)
        self.place.reactor.advance(1)
        self.assertEqual(self.place.left(), [])

    def test_settled_on_a_full_disk(self) -> None:
        """What could not be written of its end is not written any more, and its files go later."""
        frame = self.launch()
        self.place.workers.broken["state"] = OSError(28, "full")
        self.end()
        self.assertEqual(len(self.place.disk.unkept), 1)
        self.place.rest()
        self.roster.settled(frame.key)
        self.assertEqual(len(self.place.disk.unkept), 0)

    def test_settled_twice(self) -> None:
        """Late and repeated acknowledgements are harmless."""
        frame = self.launch()
        self.end()
        self.place.rest()
        for key in (frame.key, frame.key, "nobody"):
            self.roster.settled(key)
        self.place.reactor.advance(1)
        self.assertEqual(self.place.left(), [])

    def test_settled_at_once(self) -> None:
        """An acknowledgement may come before the frame has come to rest."""
        frame = self.launch()
        self.place.log(frame).hang()
        self.end()
        self.place.reactor.advance(END_PATIENCE)
        self.roster.settled(frame.key)
        self.place.reactor.advance(3600)
        self.assertIn(f"{frame.key}.record", self.place.left())
        self.place.log(frame).release()
        self.place.reactor.advance(1)
        self.assertEqual(self.place.left(), [])

    def test_let_go(self) -> None:
        """Of a frame that waits for Cuebot, no more is held than what is to be removed."""
        frame = weakref.ref(self.launch())
        self.end()
        self.place.rest()
        self.place.reactor.spawned.clear()
        self.place.logs.logs.clear()
        self.place.launched = Deferred()
        gc.collect()
        self.assertIsNone(frame())

    def many_end(self) -> list[str]:
        """More frames end than may wait with all their files; return their keys."""
        for number in range(WHOLE + 3):
            self.launch(str(number), job_name=str(number))
            self.end(-1)
            self.place.rest()
        return [key for key, _ in self.place.posted]

    def test_many_waiting(self) -> None:
        """Of many that wait, only some have more on disk than a record; all of it goes."""
        keys = self.many_end()
        self.place.reactor.advance(1)
        left = self.place.left()
        self.assertEqual([key for key in keys if f"{key}.record" not in left], [])
        self.assertEqual([key for key in keys if f"{key}.spool" not in left], keys[WHOLE:])
        self.assertEqual([key for key in keys if f"openrqd-{key}.sh" not in left], keys[WHOLE:])
        for key in keys:
            self.roster.settled(key)
        self.place.reactor.advance(1)
        self.assertEqual([name for name in self.place.left() if name.partition(".")[2]], [])

    def test_many_not_kept(self) -> None:
        """Whose report is in memory only keeps everything: a later agent needs it."""
        frames = [self.launch(str(n), num_cores=1, job_name=str(n)) for n in range(WHOLE + 3)]
        self.place.workers.broken["state"] = OSError(28, "full")
        for number in range(len(frames)):
            self.end(number)
        self.place.workers.broken.clear()
        self.place.reactor.advance(1)
        keys = [frame.key for frame in frames]
        self.assertEqual(self.place.in_memory_only, keys)
        self.assertEqual([k for k in keys if f"{k}.spool" not in self.place.left()], [])

    def test_when_empty(self) -> None:
        """Who waits for the last frame is told when its report is posted."""
        self.launch("a")
        self.launch("b")
        waiting = self.roster.when_empty()
        self.end(0)
        self.assertNoResult(waiting)
        waiting.addCallback(lambda _: len(self.place.posted))
        self.end(1)
        self.assertEqual(self.successResultOf(waiting), 2)

    def test_empty_already(self) -> None:
        """Where no frame runs there is nothing to wait for."""
        self.successResultOf(self.roster.when_empty())


class TroubleTests(RosterCase):
    """What nobody expected."""

    def test_before_start(self) -> None:
        """A launch that breaks is reported as not started, and gives its cores back."""
        self.place.workers.broken["state"] = ZeroDivisionError("a bug")
        self.launch()
        (report,) = self.reports
        self.assertTrue(report.startswith(b"256/0 internal error, see the agent's log"))
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.assertEqual(self.roster.all(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_agent_goes(self) -> None:
        """A frame whose agent goes in the middle is left to the next one: nothing is told."""
        self.place.workers.broken["state"] = WorkersStopped("the agent is stopping")
        self.launch()
        self.assertEqual(self.reports, [])

    def breaks(self, members: FakeMembers) -> Frame:
        """A frame with these processes, whose life breaks as it begins to run."""

        def broken() -> None:
            frame.members = members
            raise ZeroDivisionError("a bug")

        self.place.workers.hold("state")
        frame = self.launch()
        frame.output.follow = broken  # type: ignore[method-assign]
        self.place.workers.release("state")
        self.place.turn()
        return frame

    def test_while_running(self) -> None:
        """A frame that breaks while it runs is ended: nobody would hear of it any more."""
        members = FakeMembers(11)
        self.breaks(members)
        self.assertEqual(len(self.reports), 1)
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.assertEqual(members.alive, [])
        self.place.process.end(137)
        self.place.reactor.advance(0.1)
        self.assertEqual(self.place.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_left_behind(self) -> None:
        """What it leaves behind is seen to once: its berth is given up once."""
        members = FakeMembers(11)
        members.deaf_to_kill = 3
        given_up: list[object] = []
        discard = self.place.site.berths.discard
        self.patch(
            self.place.site.berths,
            "discard",
            lambda berth: given_up.append(berth) or discard(berth),
        )
        frame = self.breaks(members)
        self.place.rest()
        self.place.reactor.pump([1] * 10)
        self.assertEqual(members.alive, [])
        self.assertEqual(given_up, [frame.berth])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_at_the_end(self) -> None:
        """An end that breaks is an end."""
        tries = iter([ZeroDivisionError("a bug")])

        def compose(frame: Frame, end: FrameEnd) -> bytes:
            for error in tries:
                raise error
            return composed(frame, end)

        self.place.change(compose=compose)
        self.launch()
        waiting = self.roster.when_empty()
        self.end()
        self.assertEqual(self.reports, [b"256/0 internal error, see the agent's log"])
        self.successResultOf(waiting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class KillTests(RosterCase):
    """Frames that are to end."""

    def test_unknown(self) -> None:
        """Nobody is killed who doesn't run here, and that is said."""
        problem = self.assertRaises(UnknownFrame, self.roster.kill, "x/y", "why")
        self.assertIn("'x/y' doesn't run here", problem.detail)

    def test_about_to_start(self) -> None:
        """A frame that was accepted can be killed before it starts."""
        self.place.workers.hold("state")
        self.launch()
        self.roster.kill("f", "not wanted")
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.reports, [b"1/15 not wanted"])

    def test_running(self) -> None:
        """A running one is, and is known until it is dead."""
        frame = self.launch()
        frame.members = FakeMembers(11)
        self.roster.kill("f", "not wanted")
        self.assertIs(self.roster.get("f"), frame)

    def test_one_a_turn(self) -> None:
        """To end very many doesn't keep the reactor from everything else."""
        frames = [self.launch(str(number), num_cores=1) for number in range(3)]
        members = [FakeMembers(11) for _ in frames]
        for frame, each in zip(frames, members, strict=True):
            frame.members = each
        self.roster.kill_all("shutdown")
        self.assertEqual([bool(each.heard) for each in members], [True, False, False])
        self.place.turn()
        self.assertEqual([bool(each.heard) for each in members], [True, True, True])

    def test_user(self) -> None:
        """For a user, frames end with a status of their own; those that ignore NIMBY go on."""
        self.place.workers.hold("state")
        self.launch("a")
        self.launch("b", ignore_nimby=True)
        self.roster.yield_to_user("somebody came")
        self.place.turn()
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.reports, [b"286/15 somebody came"])
        self.assertEqual([frame.spec.frame_id for frame in self.roster.all()], ["b"])

    def test_user_and_success(self) -> None:
        """A frame that has succeeded all the same has succeeded."""
        frame = self.launch("a")
        frame.members = FakeMembers()
        self.roster.yield_to_user("somebody came")
        self.end()
        self.assertEqual(self.reports, [b"0/0 somebody came"])

    def test_user_and_failure(self) -> None:
        """One that failed, by a signal or because it was asked to end, did so for the user."""
        frame = self.launch("a")
        frame.members = FakeMembers()
        self.roster.yield_to_user("somebody came")
        self.end(status=3)
        self.assertEqual(self.reports, [b"286/0 somebody came"])

    def test_all(self) -> None:
        """All of them, the ones about to start included."""
        self.launch("a")
        self.place.workers.hold("state")
        self.launch("b")
        self.roster.kill_all("shutdown")
        self.place.turn()
        self.place.workers.release("state")
        self.place.turn()
        self.end(0, status=143)
        self.assertEqual(self.reports, [b"1/15 shutdown"] * 2)


class SamplingTests(RosterCase):
    """Statistics of many frames."""

    def test_running(self) -> None:
        """Frames with a process are sampled, those about to start are not."""
        running = self.launch("a")
        self.place.workers.hold("state")
        self.launch("b")
        self.assertEqual(self.roster.running(), {running.key: running.members})

    def test_sampled(self) -> None:
        """Each gets its own; a missing sample means nothing, one of a stranger neither."""
        first, second = self.launch("a"), self.launch("b")
        self.roster.sampled({first.key: FrameUsage(rss=1), second.key: FrameUsage(rss=2)})
        self.roster.sampled({second.key: FrameUsage(rss=3), "stranger": FrameUsage(rss=4)})
        self.assertEqual((first.usage.rss, second.usage.rss), (1, 3))


class LeaveTests(RosterCase):
    """The agent goes, the frames stay."""

    def test_leave(self) -> None:
        """Every log is let go of, and nobody is killed."""
        frames = [self.launch("a", job_name="a"), self.launch("b", job_name="b")]
        self.place.workers.hold("state")
        self.launch("c")
        self.roster.leave()
        self.assertTrue(all(self.place.log(frame).left for frame in frames))
        self.assertEqual(self.reports, [])

    def test_just_over(self) -> None:
        """A frame that has just ended, and that Cuebot knows of, leaves the next agent nothing."""
        frame = self.launch()
        self.end()
        self.roster.settled(frame.key)
        self.roster.leave()
        self.place.clearing.flush()
        self.assertEqual(self.place.left(), [])
        self.assertEqual(self.place.reactor.getDelayedCalls(), [])
