"""Frames in containers of an engine that is made up."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import DockerSettings
from rqd.containers.containers import Containers, Terms
from rqd.containers.frame import ContainedFrame
from rqd.containers.interface import AGENT
from rqd.frame.lifecycle import Frame
from rqd.frame.phases import Kill
from rqd.frame.survivor import POLL
from rqd.frame.users import Identity
from rqd.servant.frame_calls import spec_of
from rqd.system.identity import this_boot
from tests.containers.fakes import FakeEngine
from tests.frame.earlier import PID, run_frame
from tests.frame.place import Place
from tests.system.fake_proc import FakeProc

_NOBODY = Identity(os.geteuid(), os.getegid(), ())


class ContainedCase(SynchronousTestCase):
    """A host with an engine."""

    def setUp(self) -> None:
        self.place = Place(self)
        self.engine = FakeEngine()
        self.proc = FakeProc(str(self.place.folder / "proc"))
        self.proc.write("sys/kernel/random/boot_id", f"{this_boot()}\n")
        self.containers = self.make()

    def make(self, **terms: Any) -> Containers:
        """Containers whose engine has been asked."""
        images = {"Small": "small", "far": "far"}
        given = Terms(DockerSettings(), images, "", (), "me")._replace(**terms)
        containers = Containers(
            str(self.place.state),
            given,
            engine=self.engine,
            reactor=self.place.reactor,
            watching=self.place.reactor,
            from_thread=lambda function, *args: function(*args),
            workers=self.place.workers,
            disk=self.place.disk,
            changed=lambda: None,
            proc_root=self.proc.root,
        )
        containers.prepare()
        containers.start()
        self.addCleanup(containers.stop)
        self.place.change(berths=containers, live_as=ContainedFrame)
        return containers

    def launch(self, **fields: Any) -> Frame:
        """A frame that lives; what it is asked of comes as a request does."""
        request = run_frame(**{"log_dir": str(self.place.folder), "os": "small"} | fields)
        spec = spec_of(request.SerializeToString())
        self.answer: Deferred[Frame] = self.place.roster.launch(spec, _NOBODY, self.place.site)
        frames = self.place.roster.all()
        self.place.turn()
        return frames[0] if frames else self.answer.result

    def runs(self, called: str, pid: int = PID) -> None:
        """The first process of a container, which says so on its command line."""
        cmdline = b"docker-init\0--\0/bin/sh\0%s\0x\0" % called.encode()
        self.proc.process(pid, cmdline=cmdline)
        self.proc.write(f"{pid}/status", f"Name:\tdocker-init\nNSpid:\t{pid}\t1\n")

    def ends(self, pid: int = PID) -> None:
        """It is gone."""
        self.proc.remove(f"{pid}/stat")
        self.pass_time(POLL)

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.place.reactor.advance(1.0)
            self.place.turn()

    @property
    def report(self) -> bytes:
        ((_, report),) = self.place.posted
        return report

    def nothing_left(self) -> None:
        """Once Cuebot has all reports."""
        for key, _ in self.place.posted:
            self.place.roster.settled(key)
        self.pass_time(10)
        self.assertEqual(os.listdir(self.containers.folder), [])
        self.assertEqual(self.engine.bodies, {})


class EndTests(ContainedCase):
    """How it ended is told by its chain file, and by the engine where that tells nothing."""

    def test_own_status(self) -> None:
        """The engine isn't needed for the end of what told it."""
        self.engine.says = b"born 7\nup\noom 0\npeak 5\nexit 3\n"
        self.launch()
        self.assertTrue(self.report.startswith(b"3/0 "), self.report)
        self.nothing_left()

    def test_killed_for_memory(self) -> None:
        """A failure after a kill by the kernel in its own group is one for want of memory."""
        self.engine.says = b"born 7\nup\noom 1\npeak 1000000\nexit 137\n"
        self.launch()
        self.assertTrue(self.report.startswith(b"1/33 "), self.report)

    def test_child_killed_for_memory(self) -> None:
        """Who goes on after that, and ends well, ended well."""
        self.engine.says = b"born 7\nup\noom 1\nexit 0\n"
        self.launch()
        self.assertTrue(self.report.startswith(b"0/0 "), self.report)

    def test_witness(self) -> None:
        """Where even the account's writer was killed, the engine tells for want of what."""
        self.engine.says = b"born 7\nup\n"
        self.engine.exit = self.engine.exit._replace(exit_code=137, oom_killed=True)
        self.launch()
        self.assertTrue(self.report.startswith(b"1/33 "), self.report)

    def test_by_others(self) -> None:
        """One that was killed from outside has vanished."""
        self.engine.says = b"born 7\nup\n"
        self.engine.exit = self.engine.exit._replace(exit_code=137)
        frame = self.launch()
        self.assertTrue(self.report.startswith(b"1/19 "), self.report)
        self.assertIn("ended from outside", frame.explanation)

    def test_never_born(self) -> None:
        """What ended without a word was never started."""
        self.engine.says = b""
        self.engine.exit = self.engine.exit._replace(exit_code=127)
        frame = self.launch()
        self.assertTrue(self.report.startswith(b"256/0 "), self.report)
        self.assertIn("exit status 127", frame.explanation)


class StartTests(ContainedCase):
    """Images, kills, and engines that don't answer."""

    def test_pulled(self) -> None:
        """An image that is missing is pulled, and the log says so."""
        self.launch(os="far")
        self.assertTrue(self.report.startswith(b"0/0 "), self.report)
        self.assertIn("far", self.engine.images)

    def test_no_image(self) -> None:
        """An unknown system is told with those that are known."""
        frame = self.launch(os="plan9")
        self.assertTrue(self.report.startswith(b"256/0 "), self.report)
        self.assertIn("Small, far", frame.explanation)
        self.nothing_left()

    def test_killed_during_pull(self) -> None:
        """Nobody waits for the image of a frame that is killed; others still get it."""
        self.place.workers.hold("engine pulls")
        frame = self.launch(os="far")
        self.assertEqual(self.place.posted, [])
        frame.kill(Kill("no need"))
        self.place.turn()
        self.assertTrue(self.report.startswith(b"1/15 "), self.report)
        self.place.workers.release("engine pulls")
        self.assertIn("far", self.engine.images)
        self.nothing_left()

    def test_away(self) -> None:
        """While the engine is away, launches are refused; it is looked for again."""
        self.engine.away = "gone"
        containers = self.make()
        self.launch()
        self.assertIn("gone", str(self.failureResultOf(self.answer).value))
        self.engine.away = ""
        self.pass_time(6)
        self.assertEqual(containers.away, "")

    def test_in_doubt(self) -> None:
        """What an engine that broke off had not begun never begins: its permit is gone."""
        self.engine.says = b""
        self.engine.while_starting = lambda: setattr(self.engine, "away", "broke off")
        self.launch()
        self.assertTrue(self.report.startswith(b"256/0 "), self.report)
        self.engine.away = ""
        self.pass_time(6)
        self.nothing_left()

    def test_in_doubt_and_over(self) -> None:
        """What had begun, and has no process any more, has ended as its chain file says."""
        self.engine.says = b"born 7\nup\nexit 4\n"
        self.engine.while_starting = lambda: setattr(self.engine, "away", "broke off")
        self.launch()
        self.assertTrue(self.report.startswith(b"4/0 "), self.report)
        self.engine.away = ""
        self.pass_time(6)
        self.nothing_left()

    def test_in_doubt_and_begun(self) -> None:
        """What had begun is followed, also where the engine has forgotten it."""
        self.engine.says = b"born 7\nup\n"
        self.engine.while_starting = self.break_off
        self.launch()
        self.assertEqual(self.place.posted, [])
        self.engine.away = ""
        self.pass_time(6)
        self.assertEqual(self.place.posted, [])
        (chain,) = self.containers.folder.glob("*.chain")
        with open(chain, "ab") as file:
            file.write(b"exit 4\n")
        self.ends()
        self.assertTrue(self.report.startswith(b"4/0 "), self.report)
        self.nothing_left()

    def break_off(self) -> None:
        """It starts the container and dies."""
        (called,) = self.engine.bodies
        self.runs(called)
        self.engine.away = "broke off"


class SweepTests(ContainedCase):
    """Containers that are no frame's."""

    def test_ours_only(self) -> None:
        """Those with our label go when the engine is asked first, others stay."""
        self.engine.create("left", {"Image": "small", "Labels": {AGENT: "me"}})
        self.engine.create("others", {"Image": "small", "Labels": {AGENT: "they"}})
        self.make()
        self.assertEqual(list(self.engine.bodies), ["others"])

    def test_late(self) -> None:
        """So does what the engine made late: it was asked before the agent, or it, died."""
        self.engine.create("late", {"Image": "small", "Labels": {AGENT: "me"}})
        self.pass_time(DockerSettings().timeout - 1)
        self.assertEqual(list(self.engine.bodies), ["late"])
        self.pass_time(2)
        self.assertEqual(list(self.engine.bodies), [])
