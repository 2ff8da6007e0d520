"""Supervisors of an earlier agent, known again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rqd.frame.records import Whereabouts
from rqd.frame.survivor import POLL, Survivor, lives
from rqd.system.identity import identity
from tests.frame.earlier import BOOT, PID, Earlier
from tests.frame.fakes import ProcessReactor

WHERE = Whereabouts("b1", PID, 1000, BOOT)


class LivesTests(SynchronousTestCase):
    """``lives``."""

    def setUp(self) -> None:
        self.earlier = Earlier(Path(self.mktemp()))
        self.earlier.chain().write_bytes(b"born\n")

    def lives(self, where: Whereabouts = WHERE) -> bool:
        return lives(where, str(self.earlier.chain()), self.earlier.proc.root)

    def test_lives(self) -> None:
        """The process that the record names, which holds its chain file."""
        self.earlier.process()
        self.assertTrue(self.lives())

    def test_gone(self) -> None:
        """No process, or one that is dead and only not collected."""
        self.assertFalse(self.lives())
        self.earlier.process(state="Z")
        self.assertFalse(self.lives())

    def test_pid_used_again(self) -> None:
        """Another process with the pid, whatever its name and its output."""
        self.earlier.process(ticks=1001)
        self.assertFalse(self.lives())

    def test_another_output(self) -> None:
        """One that began in the same tick, but does not write to the chain file."""
        self.earlier.process(output=self.earlier.folder)
        self.assertFalse(self.lives())

    def test_another_boot(self) -> None:
        """Pid and start time come again after a reboot."""
        self.earlier.process()
        self.assertFalse(self.lives(WHERE._replace(boot_id="another")))

    def test_unknown_start(self) -> None:
        """Of a process whose start was never known nothing can be said."""
        self.earlier.process(ticks=0)
        self.assertFalse(self.lives(WHERE._replace(start_ticks=0)))

    def test_chain_file_removed(self) -> None:
        """Somebody removed the chain file: that is no reason to take a frame for dead."""
        self.earlier.process()
        self.earlier.chain().unlink()
        self.assertTrue(self.lives())

    def test_odd_stat(self) -> None:
        """What can't be understood is not ours."""
        self.earlier.proc.write(f"{PID}/stat", b"what is this")
        self.assertFalse(self.lives())


class PollTests(SynchronousTestCase):
    """``Survivor`` where there is no ``pidfd``: no real process has this pid."""

    def setUp(self) -> None:
        self.earlier = Earlier(Path(self.mktemp()))
        self.earlier.chain().write_bytes(b"born\n")
        self.reactor = ProcessReactor()

    def survivor(self) -> Survivor:
        return Survivor(
            WHERE,
            str(self.earlier.chain()),
            reactor=self.reactor,
            clock=self.reactor,
            proc_root=self.earlier.proc.root,
        )

    def test_ends(self) -> None:
        """It is looked at every second until it has ended, and no more."""
        self.earlier.process()
        survivor = self.survivor()
        self.reactor.advance(POLL)
        self.assertTrue(survivor.running)
        self.assertNoResult(survivor.gone)
        self.earlier.ends()
        self.reactor.advance(POLL)
        self.assertFalse(survivor.running)
        self.assertEqual(self.successResultOf(survivor.gone), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_given_up(self) -> None:
        """One that hangs in the kernel can be given up on: it counts as ended, once."""
        self.earlier.process()
        survivor = self.survivor()
        survivor.give_up()
        survivor.give_up()
        self.assertFalse(survivor.running)
        self.assertEqual(self.successResultOf(survivor.gone), 0)
        self.earlier.ends()
        self.reactor.advance(POLL)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_gone(self) -> None:
        """One that is not there is gone at once."""
        survivor = self.survivor()
        self.assertFalse(survivor.running)
        self.assertEqual(self.successResultOf(survivor.gone), 0)


class PidfdTests(TestCase):
    """``Survivor`` on a real process that is not this reactor's child to wait for."""

    def test_ends(self) -> Deferred[None]:
        """The reactor hears of its end, and nothing is left open."""
        chain = os.path.abspath(self.mktemp())
        with open(chain, "wb") as output:
            waits = [sys.executable, "-c", "input()"]
            process = subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=output)
        self.addCleanup(process.wait)
        found = identity(process.pid)
        assert found is not None
        survivor = Survivor(Whereabouts("b1", *found), chain, reactor=reactor, clock=reactor)
        self.assertTrue(survivor.running)
        self.assertFalse(survivor.gone.called)
        process.communicate(b"\n")

        def gone(_: int) -> None:
            self.assertFalse(survivor.running)
            self.assertEqual(survivor.fileno(), -1)

        return survivor.gone.addCallback(gone)
