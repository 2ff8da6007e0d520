"""What is kept of a frame on disk: private, in its place, gone when it is forgotten."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import stat
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rqd.blanks import Blanks
from rqd.frame.records import FrameFiles, Records, Whereabouts, new_key
from rqd.frame.users import Identity
from rqd.system.gpus import Gpu
from rqd.system.reservations import Reservation
from tests.report.facts import frame_spec

RESERVATION = Reservation(200, (0, 4), (Gpu("GPU-1", 1),))
WHERE = Whereabouts("berth-7", 7, 1000, "boot")
ODD = ("..", ".", "/", "../../etc/passwd", "a/b", "a\nb", "\0", "é", "-rf", ".x", " ", "x" * 5000)


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


class KeyTests(SynchronousTestCase):
    """L{new_key}."""

    def test_plain(self) -> None:
        """A plain id can be read in the key."""
        self.assertTrue(new_key("a6842560-0001").startswith("a6842560-0001."))

    def test_never_twice(self) -> None:
        """Each launch of a frame has a key of its own."""
        self.assertEqual(len({new_key("f") for _ in range(100)}), 100)

    @given(st.text() | st.sampled_from(ODD))
    def test_stays_in_folder(self, frame_id: str) -> None:
        """Whatever the id, the key is one plain file name."""
        key = new_key(frame_id)
        self.assertRegex(key, r"\A[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
        self.assertLess(len(key), 128)
        files = Records("/state", "/scripts", Blanks("/state")).files(key)
        for path in (files.record, files.spool, files.checkpoint):
            self.assertEqual(os.path.dirname(os.path.normpath(path)), "/state/frames")
            self.assertTrue(os.path.basename(path).startswith(f"{key}."))
        self.assertEqual(os.path.dirname(os.path.normpath(files.script)), "/scripts")


class FilesTests(SynchronousTestCase):
    """L{FrameFiles}, on a real disk."""

    def setUp(self) -> None:
        base = Path(self.mktemp()).resolve()
        self.state, self.scripts = base / "state", base / "scripts"
        self.blanks = Blanks(str(self.state))
        self.records = Records(str(self.state), str(self.scripts), self.blanks)
        self.records.prepare()
        self.files = self.records.files(new_key("f"))

    def create(
        self,
        files: FrameFiles | None = None,
        *,
        identity: Identity | None = None,
        spooled: bool = True,
    ) -> None:
        (files or self.files).create(
            frame_spec(command="echo 'hi'\n", request=b"what was asked"),
            RESERVATION,
            WHERE,
            shell="/bin/sh",
            identity=identity,
            spooled=spooled,
            started_at=1_700_000_000.5,
            born=12.5,
        )

    def left(self) -> list[Path]:
        """Whatever is on disk, the folders themselves left out."""
        folders = {self.state, self.state / "frames", self.scripts}
        return [path for path in self.state.parent.rglob("*") if path not in folders]

    def lines(self) -> list[dict[str, Any]]:
        """What the record says."""
        return [json.loads(line) for line in Path(self.files.record).read_bytes().splitlines()]

    def test_private(self) -> None:
        """Nobody else may look, whatever the umask."""
        self.addCleanup(os.umask, os.umask(0))
        self.create()
        self.files.write_report(b"r", b"")
        self.assertEqual(mode(self.state / "frames"), 0o700)
        for path in (self.files.record, self.files.spool):
            self.assertEqual(mode(path), 0o600, path)
        self.assertEqual(mode(self.files.script), 0o500)

    def test_script(self) -> None:
        """The command is a script for the configured shell."""
        self.create()
        self.assertEqual(Path(self.files.script).read_text(), "#!/bin/sh\necho 'hi'\n\n")

    def test_script_is_closed(self) -> None:
        """Nothing keeps the script open for writing: it could not be run."""
        self.create()
        held = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
        self.assertNotIn(self.files.script, held)

    def test_no_spool(self) -> None:
        """A frame that writes to its log itself has no spool."""
        self.create(spooled=False)
        self.assertFalse(os.path.exists(self.files.spool))

    def test_record(self) -> None:
        """The record tells, with its version, what was asked and what was given."""
        self.create()
        (asked,) = self.lines()
        self.assertEqual(asked["version"], 3)
        self.assertEqual(base64.b64decode(asked["request"]), b"what was asked")
        gpus = [{"uuid": "GPU-1", "index": 1}]
        self.assertEqual(asked["reservation"], {"points": 200, "threads": [0, 4], "gpus": gpus})
        self.assertEqual((asked["script"], asked["where"]["berth"]), (self.files.script, "berth-7"))

    def test_owner(self) -> None:
        """What the frame opens by itself belongs to its user, the rest does not."""
        if os.geteuid():
            raise SkipTest("only root gives files away")
        self.create(identity=Identity(1234, 567, ()))
        for path in (self.files.script, self.files.spool):
            self.assertEqual((os.stat(path).st_uid, os.stat(path).st_gid), (1234, 567))
        self.assertEqual(os.stat(self.files.record).st_uid, 0)
        self.assertEqual(mode(self.files.script), 0o500)

    def test_report(self) -> None:
        """The completion is kept as it is sent, below what was asked."""
        self.create()
        self.files.write_report(b"\0\n\xff", b"foot\n")
        asked, ended = self.lines()
        self.assertIn("request", asked)
        self.assertEqual(base64.b64decode(ended["report"]), b"\0\n\xff")
        self.assertEqual(base64.b64decode(ended["footer"]), b"foot\n")

    def test_no_room_for_a_report(self) -> None:
        """What can't be added leaves no piece behind that would spoil what comes later."""
        self.create()
        before = Path(self.files.record).read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        self.addCleanup(
            signal.signal, signal.SIGXFSZ, signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        )
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 7, hard))
        try:
            self.assertRaises(OSError, self.files.write_report, b"r" * 100, b"")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        self.assertEqual(Path(self.files.record).read_bytes(), before)

    def test_remove(self) -> None:
        """A forgotten frame leaves nothing."""
        self.create()
        self.files.write_report(b"r", b"")
        Path(self.files.checkpoint).touch()
        self.files.remove()
        self.assertEqual(self.left(), [])

    def test_remove_twice(self) -> None:
        """What is gone already is fine, the temp folder's cleaner may have been first."""
        self.create()
        os.unlink(self.files.script)
        self.files.remove()
        self.files.remove()
        self.records.files("never-was").remove()

    def test_script_folder_missing(self) -> None:
        """A start that can't write its script raises and leaves nothing."""
        self.scripts.rmdir()
        self.assertRaises(FileNotFoundError, self.create)
        self.assertEqual(self.left(), [])

    def test_state_folder_missing(self) -> None:
        """Neither does one that can't make its record."""
        (self.state / "frames").rmdir()
        self.assertRaises(FileNotFoundError, self.create)
        self.assertEqual(self.left(), [])

    def test_state_is_a_file(self) -> None:
        """What is no folder is a reason to refuse, not to break while cleaning up."""
        (self.state / "frames").rmdir()
        (self.state / "frames").touch()
        error = self.assertRaises(NotADirectoryError, self.create)
        self.assertEqual(error.filename, self.files.record)

    def test_late_failure(self) -> None:
        """One that fails when most is done leaves nothing either, no descriptor included."""
        self.files.spool = "/proc/nowhere"
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(OSError, self.create)
        self.assertEqual(self.left(), [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_planted_script(self) -> None:
        """A link that somebody planted in the temp folder is not followed."""
        target = self.state / "target"
        target.write_text("mine")
        os.symlink(target, self.files.script)
        self.assertRaises(FileExistsError, self.create)
        self.assertEqual(target.read_text(), "mine")

    def test_prepare_twice(self) -> None:
        """Folders that are there are fine."""
        self.records.prepare()

    def test_odd_ids(self) -> None:
        """Ids of every kind find their place, and leave nothing either."""
        for frame_id in ODD:
            files = self.records.files(new_key(frame_id))
            self.create(files)
            self.assertEqual(Path(files.record).resolve().parent, self.state / "frames")
            files.remove()
        self.assertEqual(self.left(), [])
