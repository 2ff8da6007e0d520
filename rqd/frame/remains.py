"""What is on disk of a frame that is over, until Cuebot has its report."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import NamedTuple

from rqd.frame.records import Records


class Remains:
    """All that has to be known of such a frame: small, because thousands may wait.

    ``script`` is where its script is, ``chain`` the chain file that is to go with it, if any.
    """

    __slots__ = ("_chain", "_key", "_records", "_script")

    def __init__(self, records: Records, key: str, script: str, chain: str = "") -> None:
        self._records = records
        self._key = key
        self._script = "" if script == records.files(key).script else script
        self._chain = chain

    def remove(self) -> None:
        """In a worker: forget the frame; what is gone already is fine. Raises OSError."""
        self._records.files(self._key, self._script).remove()
        if self._chain:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(self._chain)

    def remove_all_but_record(self) -> None:
        """In a worker: leave what has to be told. Raises OSError."""
        self._records.files(self._key, self._script).remove_all_but_record()


class AllButRecord(NamedTuple):
    """The part of a frame's remains that nobody needs any more, once its log is whole."""

    remains: Remains

    def remove(self) -> None:
        """In a worker. Raises OSError."""
        self.remains.remove_all_but_record()
