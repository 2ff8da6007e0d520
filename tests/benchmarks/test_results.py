"""The file of a run."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.results import Record, Run, read_run
from tests.benchmarks.runs import failed, result


class RecordTests(SynchronousTestCase):
    """What a `Record` keeps, `read_run` gives back."""

    def test_round_trip(self) -> None:
        """Results come back in their order, failed ones too."""
        path = Path(self.mktemp())
        kept = (result("idle", "classic", 0, {"rss_mib": 1.5}), failed("idle", "openrqd", 0, "no"))
        record = Record(path, {"agents": {"classic": "1"}}, {"running": 100})
        for each in kept:
            record.add(each)
        record.close()
        self.assertEqual(read_run(path), Run({"agents": {"classic": "1"}}, {"running": 100}, kept))
        self.assertEqual(read_run(path).agents(), ["classic"])

    def test_no_overwriting(self) -> None:
        """The file of another run is never written to."""
        path = Path(self.mktemp())
        path.touch()
        self.assertRaises(FileExistsError, Record, path, {}, {})
