"""The host's record as text."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.record import HostRecord, NimbyLock, decode, encode
from rqd.system.condition import IdleAction

RECORDS = st.builds(
    HostRecord,
    boot_id=st.text(),
    locked_points=st.integers(0, 10**9),
    all_locked=st.booleans(),
    nimby_on=st.booleans(),
    nimby_configured=st.booleans(),
    nimby_lock=st.sampled_from(NimbyLock),
    waiting_for=st.none() | st.sampled_from(IdleAction),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class RecordTests(SynchronousTestCase):
    """``encode`` and ``decode``."""

    @given(RECORDS)
    def test_back_again(self, record: HostRecord) -> None:
        """What is written is what is read."""
        self.assertEqual(decode(encode(record)), record)

    @given(RECORDS, st.data())
    def test_torn(self, record: HostRecord, data: st.DataObject) -> None:
        """A part of a record is none."""
        text = encode(record)
        part = text[: data.draw(st.integers(0, len(text) - 2))]
        self.assertRaises(ValueError, decode, part)

    @given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
    def test_garbage(self, text: bytes) -> None:
        """Whatever else is there is refused by a sentence, and by nothing worse."""
        problem = self.assertRaises(ValueError, decode, text)
        self.assertTrue(str(problem))

    @given(RECORDS, st.sampled_from(list(json.loads(encode(HostRecord())))), JSON)
    def test_odd_values(self, record: HostRecord, name: str, value: object) -> None:
        """A record with something odd in it is refused, or is one that could have been written."""
        text = json.dumps(json.loads(encode(record)) | {name: value}).encode()
        try:
            read = decode(text)
        except ValueError:
            return
        self.assertEqual(decode(encode(read)), read)

    def test_versions(self) -> None:
        """Another version is not guessed at."""
        later = json.loads(encode(HostRecord())) | {"version": 2}
        self.assertRaises(ValueError, decode, json.dumps(later).encode())

    def test_deep(self) -> None:
        """Nor does anything nested deeply do harm."""
        self.assertRaises(ValueError, decode, b"[" * 50_000)
