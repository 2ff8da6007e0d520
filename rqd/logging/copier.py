"""Copying a spool to its log, a piece at a time: stamp, append, checkpoint. For workers.

Whatever step the agent is killed at, the log up to the checkpoint is right, and what lies behind it
is cut off by the successor. Network file systems report a full disk or a lost server only at
``close`` or ``fsync``: there, spooled text is given back only after one of these went well, and a
failure goes back to the last such point.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from rqd.blanks import Blanks
from rqd.logging import checkpoint, spool
from rqd.logging.checkpoint import Position
from rqd.logging.explain import explain
from rqd.logging.interfaces import LogUnavailable
from rqd.logging.logfile import LogFile
from rqd.logging.stamps import stamp_marked

_PIECE = 1 << 20
_UNSYNCED = 64 << 20


class Work(NamedTuple):
    """One job: copy up to the spool offset ``limit``, which ``marks`` cover.

    ``keep_open`` spares opening the files again for the next job. With ``footer``, ``limit`` is
    the end of the output, and the log is completed.
    """

    limit: int
    marks: Sequence[tuple[int, int]]
    keep_open: bool
    footer: bytes | None = None


class Outcome(NamedTuple):
    """How far it is now; ``safe`` is the spool offset behind which it never goes back."""

    position: Position
    safe: int
    is_open: bool
    complete: bool = False
    error: Exception | None = None


class Copier:
    """Copies one spool to one log. Used by one worker at a time; owns the open files.

    With ``header`` the log is still to be made, by the first job; without, it is an earlier
    agent's, and what it holds behind the checkpoint is cut off. ``late_errors``: the log is on a
    file system that reports errors late.
    """

    def __init__(
        self,
        log: LogFile,
        spool_path: str,
        checkpoint_path: str,
        blanks: Blanks,
        *,
        header: bytes | None,
        late_errors: bool,
    ) -> None:
        self._log = log
        self._header = header
        self._spool_path = spool_path
        self._checkpoint_path = checkpoint_path
        self._blanks = blanks
        self._late_errors = late_errors
        self._cut = header is None
        self._spool = self._checkpoint = -1
        self._given_back = 0
        self._position = Position(0, 0, True)
        self._safe: Position | None = None

    def work(self, position: Position, work: Work) -> Outcome:
        """Do one job, from ``position``."""
        self._begin_at(position)
        complete = False
        try:
            if self._header is not None:
                self._create(self._header)
            if work.limit > position.offset or work.footer is not None or self._log.is_open:
                self._prepare()
            self._copy(work)
            if work.footer is not None:
                self._add_footer(work.footer)
                complete = True
            if complete or not work.keep_open:
                self._rest()
        except (OSError, LogUnavailable) as error:
            self._give_up()
            return self._outcome(False, error)
        return self._outcome(complete, None)

    def _outcome(self, complete: bool, error: Exception | None) -> Outcome:
        safe = self._safe or self._position
        return Outcome(self._position, safe.offset, self._log.is_open, complete, error)

    def _begin_at(self, position: Position) -> None:
        self._position = position
        if self._safe is None or position.offset < self._safe.offset:
            self._safe = position
            self._given_back = min(self._given_back, position.offset)

    def _create(self, header: bytes) -> None:
        self._position = self._safe = Position(self._position.offset, len(header), True)
        try:
            self._log.create(header, self._note)
        except (OSError, ValueError) as error:
            raise LogUnavailable(explain(self._log.path, error)) from error
        self._header = None

    def _prepare(self) -> None:
        """Open the log, and make position and log agree.

        After an error or a kill the log may hold more than the position says: that is cut off. At
        other times, more or less is what somebody else added or cut off: that is accepted.
        """
        inode, length = self._log.inode, self._position.length
        size = self._log.open()
        replaced = inode != self._log.inode
        if self._cut and not replaced and 0 <= length < size:
            self._save()  # first: a successor must not take for copied what is cut off
            self._log.truncate(length)
        elif replaced or size != length:
            self._position = self._position._replace(
                length=size, at_line_start=self._log.ends_line(size)
            )
        self._cut = False
        if replaced or length < 0:
            self._close_checkpoint()
            self._note()
        if self._safe is None or self._safe.offset == self._position.offset:
            self._safe = self._position

    def _copy(self, work: Work) -> None:
        if self._position.offset >= work.limit:
            return
        if not self._open_spool():
            self._position = self._position._replace(offset=work.limit)
            return
        while self._position.offset < work.limit:
            self._copy_piece(work)
            if not self._late_errors:
                self._safe = self._position
            elif self._safe and self._position.offset - self._safe.offset >= _UNSYNCED:
                self._log.sync()
                self._safe = self._position
        self._give_back()

    def _copy_piece(self, work: Work) -> None:
        at = self._position
        text = os.pread(self._spool, min(_PIECE, work.limit - at.offset), at.offset)
        if not text:  # the frame truncated its output: the rest is gone
            self._position = at._replace(offset=work.limit)
            return
        pieces, line_start = stamp_marked(text, at.offset, work.marks, at.at_line_start)
        written = self._log.append(pieces)
        self._position = Position(at.offset + len(text), at.length + written, line_start)
        self._save()

    def _add_footer(self, footer: bytes) -> None:
        self._log.append([footer] if self._position.at_line_start else [b"\n", footer])

    def _rest(self) -> None:
        """Close everything: a quiet frame holds no descriptors."""
        self._log.close()
        self._safe = self._position
        self._give_back()
        self._close_spool()
        self._close_checkpoint()

    def _give_up(self) -> None:
        """After an error: back to what is surely there, and look at the files anew."""
        self._log.abandon()
        self._cut = True
        if self._late_errors and self._safe is not None:
            self._position = self._safe
            with suppress(OSError):  # before the log is cut it is tried again
                self._save()
        self._close_spool()
        self._close_checkpoint()

    def _open_spool(self) -> bool:
        if self._spool < 0:
            try:
                self._spool = os.open(self._spool_path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:  # removed by the frame: nothing to copy
                return False
        return True

    def _give_back(self) -> None:
        """Free the disk of what the log surely has."""
        if self._spool >= 0 and self._safe is not None:
            self._given_back = spool.give_back(self._spool, self._given_back, self._safe.offset)

    def _note(self) -> None:
        checkpoint.create(self._checkpoint_path, self._position, self._log.inode, self._blanks)

    def _save(self) -> None:
        if self._checkpoint < 0:
            try:
                self._checkpoint = os.open(self._checkpoint_path, os.O_WRONLY | os.O_CLOEXEC)
            except FileNotFoundError:  # somebody tidied up
                self._note()
                return
        os.pwrite(self._checkpoint, checkpoint.pack(self._position), 0)

    def _close_spool(self) -> None:
        descriptor, self._spool = self._spool, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _close_checkpoint(self) -> None:
        descriptor, self._checkpoint = self._checkpoint, -1
        if descriptor >= 0:
            os.close(descriptor)
