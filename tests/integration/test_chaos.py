"""A slice of chaos: a real agent, killed again and again, with Cuebot and disks in bad weather.

Nothing is lost (``tests/chaos``, docs/evidence.md). ``make chaos`` is the long run. A seed is
printed; ``OPENRQD_CHAOS_SEED`` sets it, ``OPENRQD_CHAOS_SECONDS`` the time.
"""

from __future__ import annotations

import os
import sys

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from tests.environments import SOURCE_TREE, lacks
from tests.integration import faultmount

SECONDS = float(os.environ.get("OPENRQD_CHAOS_SECONDS") or 60)
#: Seconds that a run takes besides: to settle, and to judge.
_BESIDES = 400


class ChaosTests(TestCase):
    """In a process of its own: its mounts go with it."""

    timeout = SECONDS + _BESIDES

    def test_slice(self) -> Deferred[None]:
        """Each frame ran once, was reported with its end, and has its log; nothing is left."""
        if os.geteuid() != 0:
            lacks("mounts need root")
        if (lacking := faultmount.lacking()) is not None:
            lacks(lacking)
        environment = {**os.environ, "OPENRQD_CHAOS_SECONDS": str(SECONDS)}
        command = ["nice", "-n", "19", sys.executable, "-m", "tests.chaos"]
        done = getProcessOutputAndValue(
            "/usr/bin/env",
            command,
            environment,
            str(SOURCE_TREE),
            reactor=reactor,
        )
        return done.addCallback(self._check)

    def _check(self, done: tuple[bytes, bytes, int]) -> None:
        out, err, status = done
        text = (out + err).decode(errors="replace")
        self.assertEqual(status, 0, f"\n{text}")
        sys.stdout.write(f"\n{text}\n    ")
