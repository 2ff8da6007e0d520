"""The host's record on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.keeping import PATIENCE, RETRY, Keeper, load, save
from rqd.host.record import HostRecord, decode, encode
from tests.environments import lacks
from tests.frame.fakes import Workers

RECORD = HostRecord(boot_id="this", locked_points=200)


class FileCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "host.json"

    def files(self) -> list[str]:
        return sorted(os.listdir(self.folder))


class FileTests(FileCase):
    """``save`` and ``load``."""

    def test_back_again(self) -> None:
        """What was saved last is loaded; nobody else may read it, and nothing else is left."""
        for points in (100, 200):
            save(str(self.folder), encode(HostRecord(locked_points=points)))
        found = load(str(self.folder))
        assert found is not None
        self.assertEqual(found.locked_points, 200)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.files(), ["host.json"])

    def test_nothing(self) -> None:
        """Where nothing was saved there is nothing, and nothing to say."""
        self.assertIsNone(load(str(self.folder)))
        self.assertIsNone(load(str(self.folder / "missing")))

    def test_interrupted(self) -> None:
        """A write that an earlier agent left unfinished is no obstacle."""
        (self.folder / "host.json.new").write_bytes(b"half")
        save(str(self.folder), encode(RECORD))
        self.assertEqual(self.files(), ["host.json"])

    def test_no_room(self) -> None:
        """A write that fails leaves what was there, and no trace."""
        save(str(self.folder), encode(RECORD))
        os.mkdir(self.folder / "elsewhere")
        self.assertRaises(OSError, save, str(self.folder / "missing"), b"")
        self.patch(os, "replace", self.fails)
        self.assertRaises(OSError, save, str(self.folder), b"new")
        self.assertEqual(decode(self.path.read_bytes()), RECORD)
        self.assertEqual(self.files(), ["elsewhere", "host.json"])

    def fails(self, *_: object) -> None:
        raise OSError(28, "No space left on device")

    def assert_set_aside(self) -> None:
        self.assertIsNone(load(str(self.folder)))
        self.assertEqual(self.files(), ["host.json.bad"])

    def test_garbage(self) -> None:
        """What can't be read is set aside; only the last one is kept."""
        for text in (b"", b"{", encode(RECORD)[:-20], b"x" * 100_000):
            self.path.write_bytes(text)
            self.path.chmod(0o600)
            self.assert_set_aside()
            self.assertEqual((self.folder / "host.json.bad").read_bytes(), text)

    def test_not_a_file(self) -> None:
        """Neither a folder nor a pipe nor a link to something is trusted."""
        other = self.folder.parent / "other.json"
        other.write_bytes(encode(RECORD))
        self.path.symlink_to(other)
        self.assert_set_aside()
        self.assertTrue(other.exists())
        os.unlink(self.folder / "host.json.bad")
        os.mkfifo(self.path)
        self.assert_set_aside()
        os.unlink(self.folder / "host.json.bad")
        self.path.mkdir()
        self.assert_set_aside()

    def test_writable_by_others(self) -> None:
        """A file that somebody else may have written says nothing."""
        save(str(self.folder), encode(RECORD))
        self.path.chmod(0o620)
        self.assert_set_aside()

    def test_foreign(self) -> None:
        """Neither does one that belongs to somebody else."""
        if os.geteuid() != 0:
            lacks("needs root")
        save(str(self.folder), encode(RECORD))
        os.chown(self.path, 12345, 12345)
        self.assert_set_aside()


class KeeperTests(FileCase):
    """``Keeper``."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.workers = Workers()
        self.keeper = Keeper(str(self.folder), reactor=self.clock, workers=self.workers)

    def on_disk(self) -> HostRecord | None:
        return load(str(self.folder))

    def test_keep(self) -> None:
        """A record is on disk once whoever asks is told so."""
        self.workers.hold("state")
        self.keeper.keep(RECORD)
        kept = self.keeper.kept()
        self.assertNoResult(kept)
        self.assertIsNone(self.on_disk())
        self.workers.release("state")
        self.successResultOf(kept)
        self.assertEqual(self.on_disk(), RECORD)
        self.successResultOf(self.keeper.kept())

    def test_newest(self) -> None:
        """What changes while the disk is busy is written afterwards, the last of it only."""
        self.workers.hold("state")
        for points in range(1, 6):
            self.keeper.keep(HostRecord(locked_points=points))
        kept = self.keeper.kept()
        self.workers.release("state")
        self.successResultOf(kept)
        self.assertEqual(self.on_disk(), HostRecord(locked_points=5))

    def test_back_to_what_it_was(self) -> None:
        """What is on disk already isn't written again."""
        self.keeper.found(RECORD)
        self.workers.hold("state")
        self.keeper.keep(RECORD)
        self.successResultOf(self.keeper.kept())

    def test_hangs(self) -> None:
        """Nobody waits longer than a second for a disk that hangs; what comes later is kept."""
        self.workers.hold("state")
        self.keeper.keep(RECORD)
        kept = self.keeper.kept()
        self.clock.advance(PATIENCE)
        self.successResultOf(kept)
        self.workers.release("state")
        self.assertEqual(self.on_disk(), RECORD)

    def test_tried_again(self) -> None:
        """What could not be written is, when the disk is back; the trouble is said once."""
        said: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        self.workers.broken["state"] = OSError(28, "No space left on device")
        self.keeper.keep(RECORD)
        self.clock.pump([RETRY] * 10)
        self.assertEqual([event["log_level"].name for event in said], ["error"])
        del self.workers.broken["state"]
        self.clock.advance(RETRY)
        self.assertEqual(self.on_disk(), RECORD)
        self.assertEqual([event["log_level"].name for event in said], ["error", "info"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_fails(self) -> None:
        """A disk that fails is no reason not to lock; the next change is tried again."""
        self.workers.broken["state"] = OSError(28, "No space left on device")
        self.keeper.keep(RECORD)
        self.successResultOf(self.keeper.kept())
        del self.workers.broken["state"]
        self.keeper.keep(HostRecord(locked_points=300))
        self.assertEqual(self.on_disk(), HostRecord(locked_points=300))
