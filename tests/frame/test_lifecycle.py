"""A frame's life, from accepted to reported."""

from __future__ import annotations

import base64
import gc
import json
import os
import signal
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.chain import program
from rqd.frame.clearing import PAUSE, RETRY
from rqd.frame.ladder import Grace
from rqd.frame.lifecycle import Frame
from rqd.frame.output import OPEN_PATIENCE
from rqd.frame.phases import END_PATIENCE, Kill, NotTaken, Phase
from rqd.frame.statedisk import LAUNCH_PATIENCE, RETRY_FIRST
from rqd.frame.users import Identity
from rqd.logging.rules import ExitStatusRule
from rqd.refusals import Refused, Unavailable
from rqd.system.usage import FrameUsage
from tests.frame.fakes import FakeMembers, HangingLogs
from tests.frame.place import NOW, Place
from tests.logging.fakes import MemoryLogs

WANTED = Kill("Job killed by artist")
NIMBY = Kill("nimby", 286)


class LifeCase(SynchronousTestCase):
    """One frame on a host."""

    def setUp(self) -> None:
        self.place = Place(self)

    def begin(self, frame: Frame | None = None) -> Deferred[bytes]:
        """Let a frame live, as far as it gets by itself."""
        self.frame = frame or self.place.frame()
        self.life = self.place.live(self.frame)
        return self.life

    def run_shell(self, frame: Frame | None = None) -> None:
        """Let a frame live, and its own shell take over; two processes are seen of it."""
        self.begin(frame)
        self.place.process.begin()
        self.members = self.frame.members = FakeMembers(11, 12)

    def end(self, status: int) -> bytes:
        """Its supervisor ends with this status, and nothing is left; return the report."""
        self.members.alive = []
        self.place.process.end(status)
        self.place.turn()
        return self.report()

    def report(self) -> bytes:
        """The report of a frame that is over: it holds no cores any more."""
        report = self.successResultOf(self.life)
        self.assertIs(self.frame.phase, Phase.ENDED)
        self.assertEqual(self.place.ledger.counts().booked, 0)
        return report

    @property
    def footer(self) -> str:
        return (self.place.log(self.frame).footer or b"").decode()


class StartTests(LifeCase):
    """From accepted to running."""

    def test_running(self) -> None:
        """A frame that starts has a record on disk, a log with a header, and a process."""
        self.assertIs(self.place.frame().phase, Phase.ACCEPTED)
        self.begin(self.place.frame(frame_id="g", command="render me"))
        self.assertNoResult(self.life)
        self.assertIs(self.frame.phase, Phase.RUNNING)
        self.assertIn(f"{self.frame.key}.record", self.place.left())
        self.assertIn(b"render me", self.place.log(self.frame).header)
        self.assertTrue(self.place.log(self.frame).started)
        self.assertEqual(self.place.started(), 1)

    def test_what_is_started(self) -> None:
        """The chain runs the script of the frame, in its folder, with its environment."""
        self.begin(self.place.frame(environment={"MINE": "1"}, job_name="j", frame_name="f"))
        words = self.place.process.words
        self.assertEqual(words[words.index("cd") + 1], str(self.place.temp))
        script = words[words.index("--") + 2]
        self.assertEqual(Path(script).parent, self.place.temp)
        environment = self.place.process.exported
        self.assertEqual((environment["MINE"], environment["jobid"]), ("1", "j"))
        self.assertEqual(environment["logfile"], f"{self.place.folder}/j.f.rqlog")

    def test_pinned(self) -> None:
        """A frame that reserved physical cores is bound to all of their threads."""
        self.begin(self.place.frame(num_cores=200, environment={"CUE_THREADABLE": "1"}))
        words = self.place.process.words
        self.assertEqual(words[words.index(program("taskset")) + 2], "0,1,4,5")
        self.assertIn("0,1,4,5", self.place.log(self.frame).header.decode())

    def test_user(self) -> None:
        """A frame of a user becomes that user, and its log belongs to that user."""
        me = Identity(os.geteuid(), os.getegid(), ())
        self.begin(self.place.frame(identity=me))
        self.assertIn(program("setpriv"), self.place.process.words)
        owners = self.place.logs.owners
        self.assertEqual(owners[self.frame.output.path], (me.uid, me.gid))

    def test_output(self) -> None:
        """The frame writes to its spool, its chain to the chain file; the agent holds neither."""
        gc.collect()  # descriptors that other tests left would be closed at some moment below
        before = len(os.listdir("/proc/self/fd"))
        self.begin()
        held_by_child = 1
        self.assertEqual(len(os.listdir("/proc/self/fd")), before + held_by_child)
        self.place.process.print(b"hello")
        self.place.process.begin()
        files = {path.suffix: path for path in self.place.state.glob("*/*")}
        self.assertEqual(files[".spool"].read_bytes(), b"hello")
        self.assertIn(b"up\n", files[".chain"].read_bytes())

    def test_log_folder_hangs(self) -> None:
        """With timestamps on the frame starts without its log after a while."""
        self.place = Place(self, HangingLogs())
        self.begin()
        self.assertEqual(self.place.started(), 0)
        self.place.reactor.advance(OPEN_PATIENCE)
        self.assertEqual(self.place.started(), 1)

    def test_group(self) -> None:
        """Where there are control groups the frame has one, which goes with it."""
        tree = self.place.groups()
        self.begin()
        (group,) = tree.iterdir()
        self.assertEqual(self.place.process.arguments[-1], str(group))
        self.place.process.begin()
        self.place.process.end(0)
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")
        self.assertEqual(list(tree.iterdir()), [])


class RecordTests(LifeCase):
    """What is on disk before anybody relies on it."""

    def record(self) -> list[str]:
        path = self.place.state / "frames" / f"{self.frame.key}.record"
        return path.read_text().splitlines()

    def test_recorded(self) -> None:
        """A launch is answered once the frame is on disk, not before."""
        self.place.workers.hold("state")
        self.begin()
        self.assertNoResult(self.frame.recorded)
        self.place.workers.release("state")
        self.place.turn()
        self.successResultOf(self.frame.recorded)
        self.assertEqual(len(self.record()), 1)

    def test_abandoned(self) -> None:
        """Who finds at the answer that nobody waits for it ends the frame before it starts."""
        frame = self.place.frame()
        frame.recorded.addCallback(lambda _: frame.kill(WANTED))
        self.begin(frame)
        self.assertEqual(self.report(), b"1/15 Job killed by artist")
        self.assertEqual(self.place.started(), 0)

    def test_where(self) -> None:
        """The record names the supervisor that the frame runs under."""
        self.begin()
        where = json.loads(self.record()[0])["where"]
        self.assertEqual(where["supervisor"], self.place.process.pid)
        self.assertTrue((self.place.state / "berths" / f"{where['berth']}.chain").exists())

    def test_kill(self) -> None:
        """A kill is on disk, once, with what it means for the end."""
        self.run_shell()
        self.frame.kill(NIMBY)
        self.frame.kill(WANTED)
        _, line = self.record()
        kill = json.loads(line)["kill"]
        self.assertEqual((kill["reason"], kill["status"], kill["at"]), ("nimby", 286, 0.0))
        self.end(143)

    def test_end(self) -> None:
        """Report and footer are on disk before the report is sent."""
        self.run_shell()
        self.end(3)
        ended = json.loads(self.record()[-1])
        self.assertEqual(base64.b64decode(ended["report"]), b"3/0 ")
        self.assertEqual(base64.b64decode(ended["footer"]).decode(), self.footer)

    def test_end_not_kept(self) -> None:
        """A report that could not be written: the berth keeps the end, so no frame has it next."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(28, "full")
        self.end(0)
        self.place.workers.broken.clear()
        self.assertFalse(self.place.process.waits)
        chain = self.frame.berth and Path(self.frame.berth.chain)
        self.assertTrue(chain and chain.exists())


class NotStartedTests(LifeCase):
    """Frames that could not be started: 256, and why."""

    def failed(self, why: str) -> None:
        """It was not started, its report, its record and its log's footer tell why."""
        report = self.report().decode()
        self.assertEqual(report.partition(" ")[0], "256/0")
        self.assertIn(why, report)
        self.assertIn(why, self.frame.explanation)

    def test_log_refused(self) -> None:
        """A log that can't be opened, in the words of the log."""
        self.place.logs.refusal = "folder belongs to uid 7"
        self.begin()
        self.failed("the log can't be opened: folder belongs to uid 7")
        self.assertEqual(self.place.started(), 0)

    def test_log_hangs(self) -> None:
        """A log that hangs where the frame would have to write to it."""
        self.place = Place(self, HangingLogs())
        self.place.terms(timestamps=False)
        self.begin()
        self.place.reactor.advance(OPEN_PATIENCE)
        self.place.turn()
        self.failed("does not answer")

    def test_link_refused(self) -> None:
        """A link of the chain that was refused, in the link's words."""
        self.begin()
        self.place.process.say(b"born 1\nsetpriv: setresuid failed\nexit 127\n")
        self.place.process.end(127)
        self.place.turn()
        self.failed("setpriv: setresuid failed")

    def test_silent_link(self) -> None:
        """One that said nothing."""
        self.begin()
        self.place.process.end(126)
        self.place.turn()
        self.failed("the command's shell never took over")


class NotTakenTests(LifeCase):
    """A frame that the agent could not answer for: its launch is refused, and there is no end."""

    def refused(self) -> str:
        """Why, as the caller is told."""
        self.begin()
        self.failureResultOf(self.life, NotTaken)
        return self.failureResultOf(self.frame.recorded, Unavailable).getErrorMessage()

    def test_state_folder(self) -> None:
        """A state folder that can't take the record; the frame's log says so, too."""
        (self.place.state / "frames").rmdir()
        self.assertIn("the state folder can't take the frame", self.refused())
        self.assertEqual(self.place.started(), 0)
        self.assertIn("the state folder can't take the frame", self.footer)

    def test_no_log_in_trouble(self) -> None:
        """While the state folder is known to fail, no log is made of a frame that is refused."""
        (self.place.state / "frames").rmdir()
        self.refused()
        del self.place.logs.logs[self.frame.output.path]
        self.refused()
        self.assertEqual(self.place.logs.logs, {})

    def test_hangs(self) -> None:
        """A state folder that hangs; it never starts, and leaves nothing when that is over."""
        self.place.workers.hold("state")
        self.begin()
        self.place.reactor.advance(LAUNCH_PATIENCE)
        self.failureResultOf(self.life, NotTaken)
        why = self.failureResultOf(self.frame.recorded, Unavailable).getErrorMessage()
        self.assertEqual(why, "the state folder can't take the frame: it does not answer")
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.gone()

    def test_hangs_at_the_record(self) -> None:
        """So is one whose record is being written: it is removed after that."""
        self.successResultOf(self.place.site.berths.take())
        self.place.site.berths.start()
        self.place.workers.hold("state")
        self.begin()
        self.place.reactor.advance(LAUNCH_PATIENCE)
        self.failureResultOf(self.life, NotTaken)
        self.failureResultOf(self.frame.recorded, Unavailable)
        self.gone()

    def gone(self) -> None:
        """The disk is back: nothing was started, and nothing is left of the frame."""
        self.place.reactor.advance(PAUSE)
        self.place.workers.release("state")
        self.place.reactor.pump([PAUSE] * 2)
        self.assertEqual(self.place.started(), 0)
        self.assertEqual([name for name in self.place.left() if self.frame.key in name], [])

    def test_nothing_left(self) -> None:
        """Nothing is reserved for it, and nothing on disk but its log."""
        (self.place.state / "frames").rmdir()
        self.refused()
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.place.reactor.advance(PAUSE)
        for process in self.place.reactor.spawned:
            process.close()
        self.assertEqual([name for name in self.place.left() if not name.endswith(".chain")], [])

    def test_process_refused(self) -> None:
        """A process that the kernel refuses."""
        self.place.reactor.refusal = OSError(11, "Resource temporarily unavailable")
        why = "the process can't be started: [Errno 11] Resource temporarily unavailable"
        self.assertEqual(self.refused(), why)

    def test_process_refused_in_group(self) -> None:
        """No control group is left of it."""
        tree = self.place.groups()
        self.place.reactor.refusal = OSError(11, "no")
        self.refused()
        self.assertEqual(list(tree.iterdir()), [])

    def test_nothing_held(self) -> None:
        """No descriptor is left of it."""
        self.place.reactor.refusal = OSError(11, "no")
        before = len(os.listdir("/proc/self/fd"))
        self.refused()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class EndTests(LifeCase):
    """From running to reported."""

    def test_success(self) -> None:
        """A frame that ends well is reported so, at once, with a footer in its log."""
        self.run_shell()
        self.place.reactor.advance(12.5)
        self.assertEqual(self.end(0), b"0/0 ")
        self.assertIn("Render Frame Completed", self.footer)
        self.assertRegex(self.footer, r"exitStatus\s+0\n")
        self.assertRegex(self.footer, r"runTime\s+12\n")

    def test_gpu_memory(self) -> None:
        """The footer tells the most that the frame used of GPUs' memory, in KiB."""
        self.run_shell()
        self.frame.sampled(FrameUsage(gpu=10, max_gpu=4096))
        self.end(0)
        self.assertRegex(self.footer, r"maxUsedGpuMemory\s+4096\n")

    def test_status(self) -> None:
        """A failure keeps its status; 200 is just 200."""
        for status in (1, 3, 200, 255):
            self.run_shell()
            self.assertEqual(self.end(status), b"%d/0 " % status)

    def test_signal(self) -> None:
        """A signal is a status of 1 and the signal."""
        self.run_shell()
        self.assertEqual(self.end(139), b"1/11 ")

    def test_holder_of_output(self) -> None:
        """A grandchild that still holds the output doesn't delay the report."""
        self.run_shell()
        self.members.alive = []
        self.place.process.end(0)
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")

    def test_leftovers(self) -> None:
        """What a frame leaves behind is ended, and the report doesn't wait for that."""
        self.run_shell()
        self.members.deaf_to_kill = 2
        self.place.process.end(0)
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")
        self.assertEqual(self.members.alive, [11, 12])
        self.place.reactor.pump([0.05] * 4)
        self.assertEqual((self.members.alive, self.members.kills), ([], 3))

    def test_report_is_on_disk(self) -> None:
        """The report is in the record before anybody gets it."""
        self.run_shell()
        self.end(3)
        record = self.place.state / "frames" / f"{self.frame.key}.record"
        self.assertIn("report", json.loads(record.read_bytes().splitlines()[-1]))

    def test_broken_state_folder(self) -> None:
        """A state folder that is lost by then costs the record, not the report."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(5, "Input/output error")
        self.assertEqual(self.end(0), b"0/0 ")

    def test_written_late(self) -> None:
        """A report that could not be written is, when the disk is back."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(28, "full")
        self.assertEqual(self.end(3), b"3/0 ")
        self.assertNotIn("report", self.last_line())
        self.place.workers.broken.clear()
        self.place.reactor.advance(RETRY_FIRST)
        self.assertIn("report", self.last_line())

    def test_forgotten_before(self) -> None:
        """It is not, if Cuebot has it by then."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(28, "full")
        self.end(3)
        self.place.workers.broken.clear()
        remains = self.successResultOf(Deferred.fromCoroutine(self.frame.come_to_rest()))
        remains.remove()
        self.place.reactor.pump([RETRY] * 2)
        self.assertEqual(len(self.place.disk.unkept), 0)
        self.assertEqual([name for name in self.place.left() if name.endswith(".record")], [])

    def test_kill_written_late(self) -> None:
        """So is why it is being killed."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(28, "full")
        self.frame.kill(WANTED)
        self.place.workers.broken.clear()
        self.place.reactor.advance(RETRY_FIRST)
        self.assertIn("kill", self.last_line())
        self.end(143)

    def test_state_folder_hangs(self) -> None:
        """A state folder that hangs delays the report for a bounded time; it is written then."""
        self.run_shell()
        self.place.workers.hold("state")
        self.members.alive = []
        self.place.process.end(3)
        self.place.reactor.advance(END_PATIENCE - 0.1)
        self.assertNoResult(self.life)
        self.place.reactor.advance(0.2)
        self.place.turn()
        self.assertEqual(self.report(), b"3/0 ")
        self.place.workers.release("state")
        self.assertIn("report", self.last_line())

    def test_chain_file_broken(self) -> None:
        """A failed frame whose chain file can't be read is taken to have started."""
        self.run_shell()
        self.place.workers.broken["state"] = OSError(5, "Input/output error")
        self.assertEqual(self.end(3), b"3/0 ")

    def last_line(self) -> dict[str, object]:
        record = self.place.state / "frames" / f"{self.frame.key}.record"
        found: dict[str, object] = json.loads(record.read_bytes().splitlines()[-1])
        return found

    def test_leftovers_wait_for_the_chain_file(self) -> None:
        """What a frame left is ended, with its supervisor, once that has written its end."""
        self.run_shell()
        wrote = self.place.process.protocol.wrote  # type: ignore[attr-defined]
        self.place.process.protocol.wrote = lambda: None  # type: ignore[attr-defined]
        self.place.process.end(0)
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")
        self.assertEqual(self.members.kills, 0)
        wrote()
        self.place.reactor.pump([0.05] * 4)
        self.assertEqual(self.members.alive, [])

    def test_log_hangs(self) -> None:
        """A log that hangs delays the report for a bounded time; its footer comes in the end."""
        self.run_shell()
        self.place.log(self.frame).hang()
        self.place.process.end(0)
        self.place.reactor.advance(END_PATIENCE - 0.1)
        self.assertNoResult(self.life)
        self.place.reactor.advance(0.2)
        self.members.alive = []
        self.assertEqual(self.report(), b"0/0 ")
        self.assertEqual(self.footer, "")
        self.place.log(self.frame).release()
        self.assertIn("Render Frame Completed", self.footer)

    def test_cores_are_free_early(self) -> None:
        """Cores are free when the frame is over, also while its log hangs."""
        self.run_shell()
        self.place.log(self.frame).hang()
        self.place.process.end(0)
        self.assertEqual(self.place.ledger.counts().booked, 0)

    def test_forgotten(self) -> None:
        """A frame that is forgotten leaves nothing, once its log has everything."""
        self.run_shell()
        self.place.log(self.frame).hang()
        self.place.process.end(0)
        self.place.reactor.advance(END_PATIENCE)
        self.place.reactor.advance(60)
        self.assertIn(f"{self.frame.key}.spool", self.place.left())
        self.place.log(self.frame).release()
        self.successResultOf(self.place.resting).remove()
        self.assertEqual(self.place.left(), [])

    def test_forgotten_without_start(self) -> None:
        """So does one that was never started, for any reason."""
        self.place.logs.refusal = "no"
        self.begin()
        self.report()
        self.successResultOf(self.place.resting).remove()
        self.place.reactor.advance(1)
        self.assertEqual(self.place.left(), [])

    def test_neighbours(self) -> None:
        """The footer of a failure names who else was on the host."""
        neighbour = self.place.launch(frame_id="n", job_name="neighbour")
        self.run_shell()
        self.members.alive = []
        self.place.process.end(1)
        self.place.turn()
        self.assertIn(neighbour.spec.name, self.footer)


class RuleTests(LifeCase):
    """Exit-status rules."""

    def setUp(self) -> None:
        super().setUp()
        rules = (ExitStatusRule.of("licence", "no licence", 77), ExitStatusRule.of("all", ".", 78))
        self.place.terms(rules=rules)

    def printed(self, text: bytes) -> None:
        self.run_shell()
        self.place.log(self.frame).write(text)

    def test_match(self) -> None:
        """The first rule that matches changes the status, and the log says so."""
        self.printed(b"error: no licence today\n")
        self.assertEqual(self.end(3), b"77/0 ")
        self.assertIn("exit status 3 became 77 by rule 'licence'", self.footer)

    def test_no_match(self) -> None:
        """Without a match the status is the frame's own."""
        self.printed(b"\n")
        self.assertEqual(self.end(3), b"3/0 ")
        self.assertNotIn("became", self.footer)

    def test_signal_stays(self) -> None:
        """The signal of a crash stays."""
        self.printed(b"no licence")
        self.assertEqual(self.end(139), b"77/11 ")

    def test_success(self) -> None:
        """A frame that ended well has, whatever it printed."""
        self.printed(b"no licence")
        self.assertEqual(self.end(0), b"0/0 ")

    def test_killed(self) -> None:
        """What the agent killed is no business of the rules."""
        self.printed(b"no licence")
        self.frame.kill(WANTED)
        self.assertEqual(self.end(143), b"1/15 " + WANTED.reason.encode())

    def test_tail_hangs(self) -> None:
        """A log that can't be read for long is not waited for longer."""
        self.printed(b"no licence")
        never: Deferred[bytes] = Deferred()
        self.place.log(self.frame).tail = lambda lines: never  # type: ignore[method-assign]
        self.members.alive = []
        self.place.process.end(3)
        self.place.reactor.advance(END_PATIENCE)
        self.place.turn()
        self.assertEqual(self.report(), b"3/0 ")

    def test_tail_fails(self) -> None:
        """One that can't be read at all leaves the frame its own status."""
        self.printed(b"no licence")
        broken: Deferred[bytes] = Deferred()
        broken.errback(OSError(116, "Stale file handle"))
        self.place.log(self.frame).tail = lambda lines: broken  # type: ignore[method-assign]
        self.assertEqual(self.end(3), b"3/0 ")


class KillTests(LifeCase):
    """Frames that are not to go on."""

    def test_before_record(self) -> None:
        """A frame that is killed before its record is written never starts."""
        self.place.workers.hold("state")
        self.begin()
        self.frame.kill(WANTED)
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.report(), b"1/15 Job killed by artist")
        self.assertEqual(self.place.started(), 0)

    def test_while_log_opens(self) -> None:
        """So does one whose log hangs meanwhile; nothing of it stays open."""
        logs = HangingLogs()
        self.place = Place(self, logs)
        self.begin()
        before = len(os.listdir("/proc/self/fd"))
        self.frame.kill(WANTED)
        logs.answer()
        self.place.turn()
        self.assertEqual(self.report(), b"1/15 Job killed by artist")
        self.assertEqual(self.place.started(), 0)
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertIn("Job killed by artist", self.footer)

    def test_before_start_with_status(self) -> None:
        """A kill with a status of its own has it there, too."""
        self.place.workers.hold("state")
        self.begin()
        self.frame.kill(NIMBY)
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.report(), b"286/15 nimby")

    def test_unwanted_and_not_to_be_started(self) -> None:
        """Killed counts for more than could not be started: 256 would have it started again."""
        self.place.workers.hold("state")
        self.place.logs.refusal = "no"
        self.begin()
        self.frame.kill(WANTED)
        self.place.workers.release("state")
        self.place.turn()
        self.assertEqual(self.report(), b"1/15 Job killed by artist")

    def test_running(self) -> None:
        """A running frame is asked to end, and reported with its signal and the reason."""
        self.run_shell()
        self.frame.kill(WANTED)
        self.assertEqual(self.members.heard, [(signal.SIGTERM, 11, 12)])
        self.assertNoResult(self.life)
        self.assertEqual(self.end(143), b"1/15 Job killed by artist")
        self.assertRegex(self.footer, "killMessage +Job killed by artist\n")

    def test_deaf(self) -> None:
        """One that doesn't is killed after its time of grace."""
        self.run_shell()
        self.frame.kill(WANTED)
        self.place.reactor.pump([1.0] * 31)
        self.assertEqual(self.members.alive, [])
        self.assertEqual(self.end(137), b"1/9 Job killed by artist")

    def test_at_birth(self) -> None:
        """A kill that comes before the frame's first process does is not lost."""
        self.begin()
        members = self.frame.members = FakeMembers()
        self.frame.kill(WANTED)
        self.place.reactor.advance(0.1)
        members.alive = [11]
        self.place.reactor.advance(0.1)
        self.assertIn((signal.SIGTERM, 11), members.heard)

    def kill_in_vain(self) -> None:
        """A frame is killed, and one of its processes hangs in the kernel."""
        self.run_shell(self.place.frame(num_cores=300))
        self.members.deaf_to_kill = 1 << 30
        self.frame.kill(WANTED)
        self.place.process.end(143)
        self.place.turn()
        self.assertNoResult(self.life)
        self.place.reactor.pump([1.0] * 11)

    def test_unkillable(self) -> None:
        """What can't be killed is reported after a limit, and keeps its cores, and says why."""
        self.kill_in_vain()
        self.assertEqual(self.successResultOf(self.life), b"1/15 Job killed by artist")
        self.assertIs(self.frame.phase, Phase.ENDED)
        self.assertEqual(self.place.ledger.counts().booked, 300)
        self.assertIn("not all of this frame could be killed", self.footer)
        self.assertRegex(
            self.place.withholding.reason, f"^300 core points of {self.frame.spec.name}"
        )
        self.assertEqual(self.place.told, 1)

    def test_unkillable_dies(self) -> None:
        """When it has died at last all comes back, and only then the record goes."""
        self.kill_in_vain()
        resting = Deferred.fromCoroutine(self.frame.come_to_rest())
        self.assertNoResult(resting)
        self.members.alive = []
        self.place.reactor.pump([1.0] * 2)
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.assertEqual((self.place.withholding.reason, self.place.told), ("", 2))
        self.successResultOf(resting).remove()
        self.place.reactor.advance(1)
        self.assertEqual(self.place.left(), [])
        self.assertFalse(self.place.process.waits)

    def test_supervisor_hangs(self) -> None:
        """A frame whose end nobody tells, whatever was killed, is over all the same."""
        self.run_shell()
        self.members.deaf_to_kill = 1 << 30
        self.frame.kill(WANTED)
        self.place.reactor.pump([0.5] * 110)
        self.assertEqual(self.successResultOf(self.life), b"1/9 Job killed by artist")
        self.members.alive = []
        self.place.reactor.pump([1.0] * 2)
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.place.process.die(9)

    def test_leftovers_hang(self) -> None:
        """What a frame that ended by itself left hanging is told, and holds no cores."""
        self.run_shell()
        self.members.deaf_to_kill = 1 << 30
        self.place.process.end(0)
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")
        self.place.reactor.pump([1.0] * 11)
        self.assertRegex(self.place.withholding.reason, "^0 core points of ")
        self.assertEqual(self.place.ledger.counts().booked, 0)
        self.assertTrue(self.place.process.waits)
        self.members.alive = []
        self.place.reactor.pump([1.0] * 2)
        self.assertEqual(self.place.withholding.reason, "")
        self.assertFalse(self.place.process.waits)

    def test_stragglers(self) -> None:
        """A killed frame is over when all of it is dead, and holds its cores until then."""
        self.run_shell()
        self.members.deaf_to_kill = 2
        self.frame.kill(WANTED)
        self.place.process.end(143)
        self.place.turn()
        self.assertNoResult(self.life)
        self.assertEqual(self.place.ledger.counts().booked, 100)
        self.place.reactor.pump([0.05] * 3)
        self.place.turn()
        self.assertEqual(self.report(), b"1/15 Job killed by artist")
        self.assertEqual(self.members.kills, 3)

    def test_own_status(self) -> None:
        """A killed frame that still ends with a status of its own is reported with that."""
        self.run_shell()
        self.frame.kill(WANTED)
        self.assertEqual(self.end(5), b"5/0 Job killed by artist")

    def test_status_of_kill(self) -> None:
        """A kill's status takes the place of a failure's, and the signal stays."""
        self.run_shell()
        self.frame.kill(NIMBY)
        self.assertEqual(self.end(143), b"286/15 nimby")

    def test_never_in_place_of_success(self) -> None:
        """It never takes the place of a 0: that work is done."""
        self.run_shell()
        self.frame.kill(NIMBY)
        self.assertEqual(self.end(0), b"0/0 nimby")

    def test_twice(self) -> None:
        """Several kills are normal: the first reason counts, and nobody is asked twice."""
        self.run_shell()
        self.frame.kill(WANTED)
        self.frame.kill(Kill("again", 286))
        self.place.reactor.advance(2)
        self.assertEqual(len(self.members.heard), 1)
        self.assertEqual(self.end(143), b"1/15 Job killed by artist")

    def test_again_in_vain(self) -> None:
        """A frame that outlived its grace, and was not to be forced, can be asked again."""
        self.place.terms(grace=Grace(timeout=2.0, interval=1.0, force=False))
        self.run_shell()
        self.frame.kill(WANTED)
        self.place.reactor.pump([1.0] * 3)
        self.frame.kill(Kill("again"))
        self.assertEqual(self.members.heard, [(signal.SIGTERM, 11, 12)] * 2)
        self.assertEqual(self.end(143), b"1/15 Job killed by artist")

    def test_after_the_end(self) -> None:
        """A kill of a frame that is over changes nothing."""
        self.run_shell()
        self.place.log(self.frame).hang()
        self.members.alive = []
        self.place.process.end(0)
        self.frame.kill(WANTED)
        self.place.log(self.frame).release()
        self.place.turn()
        self.assertEqual(self.report(), b"0/0 ")
        self.assertEqual(self.members.heard, [])

    def test_log_too_big(self) -> None:
        """A frame whose log grows over its limit is ended with 287."""
        self.place = Place(self, MemoryLogs(max_size=10))
        self.run_shell()
        self.place.log(self.frame).write(b"x" * 11)
        self.assertEqual(self.members.heard, [(signal.SIGTERM, 11, 12)])
        report = self.end(143)
        self.assertTrue(report.startswith(b"287/15 the log grew over its limit"), report)


class StatisticsTests(LifeCase):
    """What is known of a running frame."""

    def test_sampled(self) -> None:
        """A running frame takes what was sampled."""
        self.run_shell()
        self.frame.sampled(FrameUsage(rss=5))
        self.assertEqual(self.frame.usage.rss, 5)

    def test_frozen(self) -> None:
        """From the first signal on it doesn't: a dying frame would say nothing."""
        self.run_shell()
        self.frame.sampled(FrameUsage(rss=5))
        self.frame.kill(WANTED)
        self.frame.sampled(FrameUsage(rss=1))
        self.end(143)
        self.frame.sampled(FrameUsage(rss=0))
        self.assertEqual(self.frame.usage.rss, 5)

    def test_last_output(self) -> None:
        """The last output is the start, until there is one."""
        self.run_shell()
        self.assertEqual((self.frame.started_at, self.frame.last_output), (NOW, NOW))
        self.place.log(self.frame).write(b"x", at=NOW + 7)
        self.assertEqual(self.frame.last_output, NOW + 7)


class ReservationTests(LifeCase):
    """Cores of frames."""

    def test_while_it_lives(self) -> None:
        """A frame holds its cores from the acceptance to the end."""
        self.run_shell(self.place.frame(num_cores=300))
        self.assertEqual(self.place.ledger.counts().booked, 300)
        self.assertRaises(Refused, self.place.frame, num_cores=200)
        self.end(0)
        self.place.frame(num_cores=400)
