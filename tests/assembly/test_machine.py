"""What this host has to offer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.assembly import machine
from rqd.config.settings import MachineSettings
from rqd.system.reservations import Ledger
from rqd.system.topology import Core, Topology
from rqd.system.usable import UsableProcessors


class LedgerTests(SynchronousTestCase):
    """Which cores frames get."""

    def ledger(self, counted: list[Core], pinnable: list[Core]) -> Ledger:
        processors = UsableProcessors(Topology(tuple(counted)), Topology(tuple(pinnable)))
        return machine.ledger(MachineSettings(), processors)

    def test_processors_out_of_reach(self) -> None:
        """What is counted is offered, and a frame that can't be pinned runs unpinned."""
        ledger = self.ledger([Core(0, n, (n,)) for n in range(8)], [])
        self.assertEqual(ledger.counts().total, 800)
        self.assertEqual(ledger.reserve("frame", 100, pin=True).threads, ())

    def test_processors_within_reach(self) -> None:
        """What may be used is what frames are pinned to."""
        cores = [Core(0, 0, (0, 2)), Core(0, 1, (1, 3))]
        ledger = self.ledger(cores, cores[1:])
        self.assertEqual(ledger.counts().total, 200)
        self.assertEqual(ledger.reserve("frame", 100, pin=True).threads, (1, 3))
