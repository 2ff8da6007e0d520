"""Records are read with suspicion."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rqd.blanks import Blanks
from rqd.frame.recall import Found, decode, read, reports
from rqd.frame.records import KillNote, Records, Whereabouts
from rqd.frame.users import Identity
from rqd.system.gpus import Gpu
from rqd.system.reservations import Reservation
from tests.report.facts import frame_spec

RESERVATION = Reservation(200, (0, 4), (Gpu("GPU-1", 1),))
WHERE = Whereabouts("1f-2", 77, 1000, "boot", "/sys/fs/cgroup/openrqd/1f-2", 3)
KILL = KillNote("why\nnot", 286, None, 2.5, 1_700_000_002.0)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def record(folder: str) -> bytes:
    """A whole one, as the agent writes it."""
    records = Records(f"{folder}/state", f"{folder}/temp", Blanks(f"{folder}/state"))
    records.prepare()
    records.files("key").remove()
    files = records.files("key")
    files.create(
        frame_spec(request=b"asked"),
        RESERVATION,
        WHERE,
        shell="/bin/sh",
        identity=None,
        spooled=True,
        started_at=1_700_000_000.5,
    )
    files.write_kill(KILL)
    files.write_report(b"\0report", b"foot\n")
    text = Path(files.record).read_bytes()
    files.remove()
    return text


class DecodeTests(SynchronousTestCase):
    """``decode``."""

    def setUp(self) -> None:
        self.text = record(os.path.abspath(self.mktemp()))

    def decode(self, text: bytes) -> Found:
        return decode("key", text, 5.0)

    def test_whole(self) -> None:
        """What was written is what is read."""
        found, torn = self.decode(self.text)
        self.assertEqual(torn, 0)
        self.assertEqual((found.request, found.started_at), (b"asked", 1_700_000_000.5))
        self.assertEqual((found.reservation, found.where), (RESERVATION, WHERE))
        self.assertEqual((found.kill, found.report), (KILL, b"\0report"))
        self.assertEqual((found.footer, found.modified), (b"foot\n", 5.0))
        self.assertEqual((found.identity, found.spooled), (None, True))

    def test_identity(self) -> None:
        """Whom the frame became."""
        found, _ = self.decode(self.changed(identity=[1, 2, [3, 4]]))
        self.assertEqual(found.identity, Identity(1, 2, (3, 4)))

    def test_torn_at_every_byte(self) -> None:
        """A record that ends anywhere: no frame, or that frame and as much as is whole of it."""
        lines = self.text.splitlines(keepends=True)
        for length in range(len(self.text)):
            text = self.text[:length]
            if length < len(lines[0]):
                self.assertRaises(ValueError, self.decode, text)
                continue
            found, torn = self.decode(text)
            self.assertEqual(found.kill, KILL if text.count(b"\n") > 1 else None)
            self.assertIsNone(found.report)
            self.assertEqual(torn, len(text.rpartition(b"\n")[2]))

    def test_senseless_later_line(self) -> None:
        """It says nothing, and takes nothing from the others."""
        for odd in (b"", b"{", b"[]", b'{"kill": 7}', b'{"report": "?"}', b"\xff", b"[" * 9999):
            found, _ = self.decode(self.text + odd + b"\n")
            self.assertEqual((found.kill, found.report), (KILL, b"\0report"))

    def test_odd_values(self) -> None:
        """A first line that no agent writes."""
        for change in (
            {"version": 1},
            {"version": None},
            {"started_at": float("nan")},
            {"started_at": float("inf")},
            {"started_at": 10**400},
            {"started_at": True},
            {"spooled": 1},
            {"script": "/etc/passwd"},
            {"script": "openrqd-key.sh"},
            {"script": "/tmp/\ud800/openrqd-key.sh"},
            {"script": "/tmp\0/openrqd-key.sh"},
            {"identity": [0, 1, []]},
            {"identity": [1, 1]},
            {"request": "*"},
            {"reservation": {"points": 0, "threads": [], "gpus": []}},
            {"reservation": {"points": 1, "threads": ["x"], "gpus": []}},
            {"reservation": {"points": 1, "threads": [], "gpus": ["x"]}},
            {"where": WHERE._asdict() | {"supervisor": 1}},
            {"where": WHERE._asdict() | {"supervisor": -1}},
            {"where": WHERE._asdict() | {"berth": "../../etc"}},
            {"where": WHERE._asdict() | {"group": "/sys/fs/cgroup"}},
        ):
            self.assertRaises(ValueError, self.decode, self.changed(**change))

    def changed(self, **changes: Any) -> bytes:
        first = json.loads(self.text.splitlines()[0]) | changes
        return json.dumps(first).encode() + b"\n"

    @given(st.binary())
    def test_any_bytes(self, text: bytes) -> None:
        """Whatever is there, it is a record or no record."""
        self.decodes(text)
        self.decodes(text + b"\n")
        self.decodes(self.text + text + b"\n")

    @given(st.data())
    def test_foreign(self, data: st.DataObject) -> None:
        """So it is with a record of which any part is another."""
        content = json.loads(self.text.splitlines()[0])
        part = content
        for _ in range(data.draw(st.integers(0, 1))):
            part = content[data.draw(st.sampled_from(["where", "reservation"]))]
        part[data.draw(st.sampled_from(sorted(part)))] = data.draw(JSON)
        self.decodes(json.dumps(content).encode() + b"\n")

    @given(st.data())
    def test_damaged(self, data: st.DataObject) -> None:
        """So it is with one of which some bytes are others."""
        text = bytearray(self.text)
        for _ in range(data.draw(st.integers(1, 5))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
        self.decodes(bytes(text))

    def decodes(self, text: bytes) -> None:
        try:
            found, torn = self.decode(text)
        except ValueError:
            return
        self.assertGreaterEqual(torn, 0)
        self.assertGreater(found.where.supervisor, 1)
        self.assertGreater(found.reservation.points, 0)


class ReportsTests(SynchronousTestCase):
    """``reports``."""

    def setUp(self) -> None:
        self.folder = Path(os.path.abspath(self.mktemp()))
        self.folder.mkdir()

    def record(self, name: str, *lines: bytes) -> str:
        path = self.folder / name
        path.write_bytes(b"\n".join([b"{}", *lines]) + b"\n")
        path.chmod(0o600)
        return str(path)

    def report(self, name: str, report: bytes) -> str:
        content = {"report": base64.b64encode(report).decode(), "footer": ""}
        return self.record(name, json.dumps(content).encode())

    def test_found(self) -> None:
        """Each report, or why it isn't there, in the order in which they were asked for."""
        paths = [self.report("a", b"\0a"), str(self.folder / "b"), self.record("c", b'{"kill": 1}')]
        first, missing, without = reports(paths)
        self.assertEqual(first, b"\0a")
        self.assertIsInstance(missing, FileNotFoundError)
        self.assertIsInstance(without, ValueError)

    def test_not_too_much(self) -> None:
        """Large ones are read a few at a time, at least one."""
        paths = [self.report(str(number), bytes(600_000)) for number in range(4)]
        self.assertEqual(len(reports(paths)), 2)
        self.assertEqual(len(reports([self.report("large", bytes(2_000_000)), *paths])), 1)


class ReadTests(SynchronousTestCase):
    """``read``."""

    def setUp(self) -> None:
        self.path = Path(os.path.abspath(self.mktemp()))
        self.path.write_bytes(b"text")
        self.path.chmod(0o600)

    def refused(self, why: str) -> None:
        problem = self.assertRaises(ValueError, read, str(self.path))
        self.assertIn(why, str(problem))

    def test_read(self) -> None:
        """The text and the time of writing."""
        os.utime(self.path, (1, 2))
        self.assertEqual(read(str(self.path)), (b"text", 2.0))

    def test_others_may_write(self) -> None:
        """What others may have written proves nothing."""
        self.path.chmod(0o620)
        self.refused("others may write")

    def test_owner(self) -> None:
        """What belongs to another user is not ours."""
        if os.geteuid():
            raise SkipTest("only root gives files away")
        os.chown(self.path, 1234, 1234)
        self.refused("belongs to uid 1234")

    def test_no_file(self) -> None:
        """Pipes, folders and links: no such thing is opened for long."""
        self.path.unlink()
        os.mkfifo(self.path, 0o600)
        self.refused("no regular file")
        self.path.unlink()
        self.path.mkdir(0o700)
        self.refused("no regular file")
        self.path.rmdir()
        self.path.symlink_to("/etc/passwd")
        self.assertRaises(OSError, read, str(self.path))

    def test_too_large(self) -> None:
        """Nor is what no agent would have written read."""
        os.truncate(self.path, 1 << 30)
        self.refused("too large")
