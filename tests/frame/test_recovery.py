"""The start on a host on which another agent was, with a ``/proc`` that is made up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.latelogs import AT_ONCE
from rqd.frame.phases import END_PATIENCE, Kill, Phase
from rqd.frame.records import STATE, KillNote
from rqd.frame.recovery import Recovery
from rqd.frame.statedisk import RETRY_FIRST, RETRY_LAST
from rqd.frame.survivor import POLL
from rqd.logging.interfaces import IFrameLog
from rqd.refusals import AlreadyRunning
from rqd.servant.frame_calls import spec_of
from rqd.system.gpus import Gpu
from rqd.system.reservations import Reservation
from rqd.system.usage import FrameUsage
from tests.frame.earlier import PID, Earlier
from tests.frame.fakes import FakeMembers
from tests.frame.place import NOW, Place
from tests.logging.fakes import MemoryLogs

RUNS = b"up\n"


class StuckLogs(MemoryLogs):
    """Logs that can't be finished until they are released."""

    def resume(self, *args: Any, **facts: Any) -> Deferred[IFrameLog]:
        """As in ``IFrameLogs``."""
        resuming = super().resume(*args, **facts)
        return resuming.addCallback(lambda log: log.hang() or log)


class RecoveryCase(SynchronousTestCase):
    """A host whose agent has died."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.place.reactor.advance(100.0)
        self.earlier = Earlier(self.place.folder)
        self.used: dict[str, FrameUsage] = {}

    def recover(self) -> None:
        """The next agent starts."""
        recovery = Recovery(
            self.place.site,
            self.place.roster,
            reactor=self.place.reactor,
            groups=None,
            parse=spec_of,
            used=self.used.get,
            proc_root=self.earlier.proc.root,
        )
        recovery.run()
        self.place.turn()

    def running(self, key: str = "f.1", **facts: Any) -> Path:
        """A frame that runs."""
        record = self.earlier.frame(key, chain=RUNS, **facts)
        self.earlier.process()
        return record

    def ends(self, chain: bytes) -> None:
        """A frame that runs ends."""
        with open(self.earlier.chain(), "ab") as file:
            file.write(chain)
        self.earlier.ends()
        self.place.reactor.advance(POLL)
        self.place.turn()

    @property
    def reports(self) -> list[bytes]:
        return [report for _, report in self.place.posted]

    def settle(self) -> None:
        """Cuebot takes all."""
        for key, _ in self.place.posted:
            self.place.roster.settled(key)
        self.place.rest()
        self.place.clearing.flush()

    def warned(self) -> int:
        """How often something was set aside."""
        return len([path for path in self.place.state.glob("frames/*") if path.suffix == ".bad"])


class RunningTests(RecoveryCase):
    """Frames that run."""

    def test_adopted(self) -> None:
        """It is known with all that it has; nothing is started, nothing posted."""
        gpu = Gpu("GPU-1", 0)
        self.running(reservation=Reservation(200, (0, 4), (gpu,)), ignore_nimby=True)
        self.used["f.1"] = FrameUsage(max_rss=77, max_gpu=5)
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertIs(frame.phase, Phase.RUNNING)
        self.assertEqual(frame.started_at, NOW)
        self.assertEqual(frame.run_time, 100.0)
        self.assertEqual((frame.usage.max_rss, frame.usage.max_gpu), (77, 5))
        self.assertTrue(frame.spec.ignore_nimby)
        self.assertEqual(self.place.ledger.counts().booked, 200)
        self.assertTrue(self.place.log(frame).started)
        self.assertEqual((self.reports, self.place.reactor.spawned), ([], []))
        self.assertEqual(list(self.place.roster.running()), ["f.1"])
        self.assertRaises(AlreadyRunning, self.place.launch, frame_id="f")

    def test_pins(self) -> None:
        """Cores and GPUs that it holds are given to nobody else."""
        self.place.ledger.offer_gpus([Gpu("GPU-1", 0), Gpu("GPU-2", 1)])
        self.running(reservation=Reservation(100, (0, 4), (Gpu("GPU-1", 0),)))
        self.recover()
        reservation = self.place.ledger.reserve("other", 100, pin=True, gpus=1)
        self.assertEqual(reservation, Reservation(100, (1, 5), (Gpu("GPU-2", 1),)))

    def test_ends(self) -> None:
        """Its end is what its chain says; afterwards nothing is left of it."""
        self.running()
        self.recover()
        self.ends(b"exit 3\n")
        self.assertEqual(self.reports, [b"3/0 "])
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.assertEqual(self.place.roster.all(), [])
        self.settle()
        left = [name for name in self.place.left() if name.startswith(("f.1", "b1", "openrqd"))]
        self.assertEqual(left, [])

    def test_ends_in_trouble(self) -> None:
        """A disk that fails to tell its end is waited for: nobody else knows it."""
        self.running()
        self.recover()
        self.place.workers.broken[STATE] = OSError(5, "Input/output error")
        self.ends(b"exit 3\n")
        self.place.reactor.pump([RETRY_LAST] * 3)
        self.assertEqual(self.reports, [])
        del self.place.workers.broken[STATE]
        self.place.reactor.advance(RETRY_LAST)
        self.place.turn()
        self.assertEqual(self.reports, [b"3/0 "])

    def test_account_lost(self) -> None:
        """A chain file that can't be read from a disk that works says nothing."""
        self.running()
        self.recover()
        self.earlier.chain().unlink()
        self.earlier.chain().mkdir()
        self.earlier.ends()
        self.place.reactor.advance(POLL)
        self.place.reactor.advance(RETRY_FIRST)
        self.place.turn()
        self.assertTrue(self.reports[0].startswith(b"1/19 "))

    def test_vanishes(self) -> None:
        """It vanishes under the eyes of the agent."""
        self.running()
        self.recover()
        self.ends(b"")
        self.assertEqual(len(self.reports), 1)
        self.assertTrue(self.reports[0].startswith(b"1/19 "))

    def test_killed_now(self) -> None:
        """One that is killed, and takes its supervisor with it, has not vanished."""
        self.running()
        self.recover()
        (frame,) = self.place.roster.all()
        frame.members = FakeMembers()
        frame.kill(Kill("enough", 286))
        self.ends(b"")
        self.assertEqual(self.reports, [b"286/9 enough"])

    def test_date_set_meanwhile(self) -> None:
        """How long it has run, and been asked to end, is not a matter of the date."""
        self.running(kill=KillNote("enough", 286, None, None, 80.0))
        self.place.change(time=lambda: NOW + 86400.0)
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertEqual((frame.run_time, frame._grace().timeout), (100.0, 10.0))

    def test_kill_goes_on(self) -> None:
        """A kill that has begun goes on at once, with what is left of its grace."""
        self.running(kill=KillNote("enough", 286, None, None, 80.0))
        self.recover()
        (frame,) = self.place.roster.all()
        self.assertTrue(frame.dying)
        self.assertEqual(frame._grace().timeout, 10.0)
        self.ends(b"exit 143\n")
        self.assertEqual(self.reports, [b"286/15 enough"])

    def test_no_kill_of_a_success(self) -> None:
        """A success is a success, whatever was about to be done."""
        self.running(kill=KillNote("enough", 286, None, None, NOW))
        self.recover()
        self.ends(b"exit 0\n")
        self.assertEqual(self.reports, [b"0/0 enough"])

    def test_orders_on_their_way(self) -> None:
        """A supervisor that lives may still read its orders: then the frame is followed."""
        self.earlier.frame(chain=b"")
        self.earlier.process()
        self.recover()
        self.assertEqual(len(self.place.roster.all()), 1)
        self.ends(b"up\nexit 0\n")
        self.assertEqual(self.reports, [b"0/0 "])

    def test_two_of_one_id(self) -> None:
        """There is one frame of an id; what says otherwise is set aside."""
        self.running("f.1")
        self.earlier.frame("f.2", berth="b2", pid=PID + 1, chain=RUNS, started_at=NOW + 5)
        self.earlier.process(PID + 1, output=self.earlier.chain("b2"))
        self.recover()
        self.assertEqual([frame.key for frame in self.place.roster.all()], ["f.2"])
        self.assertEqual(self.warned(), 1)


class EndedTests(RecoveryCase):
    """Frames that ended while no agent was there."""

    def ended(self, chain: bytes, **facts: Any) -> bytes:
        self.earlier.frame(chain=chain, **facts)
        self.recover()
        (report,) = self.reports
        self.assertEqual(self.place.roster.all(), [])
        self.assertEqual(self.place.ledger.counts().booked, 0)
        return report

    def test_success(self) -> None:
        self.assertEqual(self.ended(b"up\nexit 0\n"), b"0/0 ")

    def test_signal(self) -> None:
        self.assertEqual(self.ended(b"up\nexit 139\n"), b"1/11 ")

    def test_chain_lost_its_first_line(self) -> None:
        """A full disk took nothing of what the chain said: not that it started, so it did not."""
        self.earlier.frame()
        self.earlier.chain().write_bytes(b"")
        self.recover()
        self.assertTrue(self.reports[0].startswith(b"256/0 "), self.reports)

    def test_vanished(self) -> None:
        self.assertTrue(self.ended(b"up\n").startswith(b"1/19 "))

    def test_torn_exit(self) -> None:
        """An exit that isn't whole was never written."""
        self.assertTrue(self.ended(b"up\nexit 1").startswith(b"1/19 "))

    def test_never_started(self) -> None:
        self.assertIn(b"256/0 the agent ended before", self.ended(b""))

    def test_start_failed(self) -> None:
        """What the chain said explains it."""
        self.assertIn(b"256/0 setpriv: no", self.ended(b"setpriv: no\nexit 127\n"))

    def test_no_chain_file(self) -> None:
        """Whoever took it away took the end with it."""
        self.earlier.frame()
        self.recover()
        self.assertTrue(self.reports[0].startswith(b"1/19 "))

    def test_killed(self) -> None:
        """The kill that had begun is what ended it."""
        kill = KillNote("nimby", 286, None, None, NOW)
        self.assertEqual(self.ended(b"up\nexit 143\n", kill=kill), b"286/15 nimby")

    def test_another_boot(self) -> None:
        """Whatever has its pid now: it has vanished."""
        self.earlier.process(output=self.earlier.chain())
        self.assertTrue(self.ended(b"up\n", boot="another").startswith(b"1/19 "))

    def test_ended_in_another_boot(self) -> None:
        """Unless its chain told its end before."""
        self.assertEqual(self.ended(b"up\nexit 4\n", boot="another"), b"4/0 ")

    def test_times(self) -> None:
        """It ran until its chain told its end."""
        self.earlier.frame(chain=b"up\nexit 0\n")
        for path in (self.earlier.chain(), self.place.state / "frames" / "f.1.spool"):
            os.utime(path, (NOW + 42.5, NOW + 42.5))
        told: list[tuple[float, float]] = []
        self.place.change(
            compose=lambda frame, end: told.append((end.ended_at, end.run_time)) or b"report"
        )
        self.recover()
        self.assertEqual(told, [(NOW + 42.5, 42.5)])

    def test_log(self) -> None:
        """Its log gets its end."""
        self.ended(b"up\nexit 3\n")
        (log,) = self.place.logs.logs.values()
        self.assertRegex((log.footer or b"").decode(), r"exitStatus\s+3\n")

    def test_pid_used_again(self) -> None:
        """A process that has the pid now is not taken for the frame."""
        self.earlier.process(ticks=5, output=self.earlier.folder)
        self.assertEqual(self.ended(b"up\nexit 5\n"), b"5/0 ")

    def test_berth_used_twice(self) -> None:
        """What runs in a berth is the newest that names it; the other's end is not known."""
        self.running("g.1", started_at=NOW + 5)
        self.earlier.frame("f.1", started_at=NOW)
        self.recover()
        self.assertEqual([frame.key for frame in self.place.roster.all()], ["g.1"])
        self.assertTrue(self.reports[0].startswith(b"1/19 "))

    def test_in_order(self) -> None:
        """They are reported in the order in which they ended."""
        for number in (3, 1, 2):
            berth = f"b{number}"
            self.earlier.frame(
                f"{number}.1", berth=berth, chain=b"up\nexit %d\n" % number, job_name=berth
            )
            for path in (self.earlier.chain(berth), self.place.state / f"frames/{number}.1.spool"):
                os.utime(path, (NOW + number, NOW + number))
        self.recover()
        self.assertEqual(self.reports, [b"1/0 ", b"2/0 ", b"3/0 "])


class ReportedTests(RecoveryCase):
    """Frames whose report is on disk."""

    def test_again(self) -> None:
        """It is posted as the same bytes, in the order of ending, and nobody is looked at."""
        self.earlier.process()
        for number in (2, 1):
            record = self.earlier.frame(
                f"{number}.1", chain=RUNS, report=b"report %d" % number, job_name=f"j{number}"
            )
            os.utime(record, (NOW + number, NOW + number))
        self.recover()
        self.assertEqual(self.reports, [b"report 1", b"report 2"])
        self.assertEqual(self.place.roster.all(), [])
        self.assertEqual({log.footer for log in self.place.logs.logs.values()}, {b"foot\n"})
        self.settle()
        self.assertEqual(list((self.place.state / "frames").iterdir()), [])

    def test_log_is_whole(self) -> None:
        """A log that is whole is not touched again: the spool had gone already."""
        record = self.earlier.frame(report=b"report")
        record.with_suffix(".spool").unlink()
        self.recover()
        self.assertEqual(self.place.logs.logs, {})
        self.settle()
        self.assertFalse(record.exists())

    def test_log_files_stay(self) -> None:
        """What the log needed and can't be removed is no surprise; the report is posted."""
        record = self.earlier.frame(report=b"report")
        spool = record.with_suffix(".spool")
        spool.unlink()
        spool.mkdir()
        self.recover()
        self.assertEqual(self.reports, [b"report"])
        self.assertEqual(self.flushLoggedErrors(), [])

    def unfinished(self, number: int) -> None:
        """Frames that are reported, and whose logs lack their ends."""
        for index in range(number):
            self.earlier.frame(f"{index}.1", report=b"report %d" % index, job_name=f"j{index}")

    def test_few_logs_at_a_time(self) -> None:
        """Logs get their ends a few at a time; reports do not wait for them, files do."""
        self.unfinished(3 * AT_ONCE)
        self.place.workers.hold("state")
        self.recover()
        self.assertEqual(len(self.reports), 3 * AT_ONCE)
        self.settle()
        self.assertEqual(len(self.place.workers._held["state"]), AT_ONCE + 2)  # old files
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(len(self.place.logs.logs), 3 * AT_ONCE)
        self.place.clearing.flush()
        self.assertEqual(list((self.place.state / "frames").iterdir()), [])

    def test_log_hangs(self) -> None:
        """Logs that hang hold up no other for long, and keep their files until they are whole."""
        self.place = Place(self, StuckLogs())
        self.place.reactor.advance(100.0)
        self.earlier = Earlier(self.place.folder)
        self.unfinished(AT_ONCE + 1)
        self.recover()
        resumed = len(self.place.logs.logs)
        self.place.reactor.advance(END_PATIENCE)
        self.assertEqual((resumed, len(self.place.logs.logs)), (AT_ONCE, AT_ONCE + 1))
        self.settle()
        records = list((self.place.state / "frames").glob("*.record"))
        self.assertEqual(len(records), AT_ONCE + 1)
        for log in self.place.logs.logs.values():
            log.release()
        self.place.turn()
        self.place.clearing.flush()
        self.assertEqual(list((self.place.state / "frames").iterdir()), [])

    def test_no_spool_yet(self) -> None:
        """An agent may die before it has made one. The log is not whole for that."""
        self.place = Place(self, StuckLogs())
        self.earlier = Earlier(self.place.folder)
        record = self.earlier.frame(chain=b"")
        record.with_suffix(".spool").unlink()
        self.recover()
        self.place.reactor.advance(END_PATIENCE)
        self.assertEqual(len(self.reports), 1)
        self.place.logs.logs.clear()
        self.recover()  # by the next agent
        self.assertEqual(len(self.place.logs.logs), 1)

    def test_log_lacks_its_end(self) -> None:
        """One whose request makes no sense is reported all the same, and forgotten."""
        record = self.earlier.frame(report=b"report")
        record.write_bytes(record.read_bytes().replace(b'"request": "', b'"request": "AAAA'))
        self.recover()
        self.assertEqual(self.reports, [b"report"])
        self.assertEqual(self.place.logs.logs, {})
        self.settle()
        self.assertEqual(list((self.place.state / "frames").iterdir()), [])

    def test_kill_after_report(self) -> None:
        """A kill that was written late changes nothing."""
        record = self.earlier.frame(report=b"report")
        files = self.earlier.records.files("f.1")
        files.write_kill(KillNote("late", 286, None, None, NOW))
        with open(record, "ab") as file:
            file.write(b'{"torn')
        self.recover()
        self.assertEqual(self.reports, [b"report"])

    def test_script_elsewhere(self) -> None:
        """What an earlier configuration had put elsewhere goes, too."""
        record = self.earlier.frame(report=b"report")
        elsewhere = self.place.folder / "elsewhere"
        elsewhere.mkdir()
        script = self.place.temp / "openrqd-f.1.sh"
        moved = script.rename(elsewhere / script.name)
        text = record.read_bytes().replace(bytes(script), bytes(moved))
        record.write_bytes(text)
        record.with_suffix(".spool").unlink()
        self.recover()
        self.settle()
        self.assertEqual(list(elsewhere.iterdir()), [])


class OddTests(RecoveryCase):
    """What is no record, and what no record names."""

    def test_set_aside(self) -> None:
        """Each odd file is set aside, the others are read."""
        frames = self.place.state / "frames"
        self.running()
        (frames / "torn.record").write_bytes(b'{"version"')
        (frames / "notes").write_bytes(b"")
        foreign = self.earlier.frame("g.1", berth="b2", num_cores=1)
        foreign.write_bytes(foreign.read_bytes().replace(b'"request": "', b'"request": "AAAA'))
        self.recover()
        self.assertEqual(self.warned(), 3)
        self.assertEqual([frame.key for frame in self.place.roster.all()], ["f.1"])
        self.recover_again()
        self.assertEqual(self.warned(), 3)

    def recover_again(self) -> None:
        """The next one finds nothing new to complain of."""
        for frame in self.place.roster.all():
            self.place.ledger.release(frame.key)
        self.place.roster._frames.clear()
        self.recover()

    def test_torn_end(self) -> None:
        """A line that was never finished is cut off, so that the next one is whole."""
        record = self.running()
        whole = record.read_bytes()
        record.write_bytes(whole + b'{"report": "abc')
        self.recover()
        self.assertEqual(record.read_bytes(), whole)
        self.assertEqual(len(self.place.roster.all()), 1)

    def test_chains(self) -> None:
        """Chain files that no frame has go; those that one has stay."""
        self.running()
        self.earlier.chain("nobodys").write_bytes(b"born 7\n")
        self.recover()
        self.assertEqual(list(self.earlier.berths.iterdir()), [self.earlier.chain()])

    def test_old_files(self) -> None:
        """Spools and checkpoints of no record go, and scripts when they are old."""
        self.running()
        frames, temp = self.place.state / "frames", self.place.temp
        gone = [frames / "x.spool", frames / "x.checkpoint", temp / "openrqd-x.sh"]
        (frames / "odd.record.bad").touch()
        stay = [frames / "odd.spool", temp / "other.sh", temp / "openrqd-y.sh"]
        of_a_frame = [frames / "f.1.spool", temp / "openrqd-f.1.sh"]
        for path in (*gone, *stay):
            path.touch()
        for path in (gone[2], *of_a_frame, temp / "other.sh"):
            os.utime(path, (1, 1))
        self.recover()
        self.assertEqual([path for path in gone if path.exists()], [])
        self.assertEqual([path for path in (*stay, *of_a_frame) if not path.exists()], [])

    def test_old_files_set_aside(self) -> None:
        """What was set aside long ago goes, and what was kept beside it."""
        frames = self.place.state / "frames"
        for name in ("x.record.bad", "x.spool", "y.record.bad"):
            (frames / name).touch()
            os.utime(frames / name, (1, 1))
        (frames / "y.record.bad").touch()
        self.recover()
        self.assertEqual([path.name for path in frames.iterdir()], ["y.record.bad"])

    def test_unbegun(self) -> None:
        """An agent that died before it wrote to a record had answered nobody: no word of it."""
        record = self.earlier.frame()
        record.write_bytes(b"")
        self.recover()
        self.assertEqual((self.reports, self.warned()), ([], 0))
        self.assertEqual(list((self.place.state / "frames").iterdir()), [])
        self.assertEqual(list(self.place.temp.iterdir()), [])

    def test_nothing(self) -> None:
        """An empty folder is nothing to speak of."""
        self.recover()
        self.assertEqual((self.reports, self.place.roster.all()), ([], []))
