"""What reports say of each frame, kept in serialised form until it is something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rqd.proto import report_pb2
from rqd.report import wire
from rqd.report.messages import FrameFacts, running_frame

_FRAMES = report_pb2.HostReport.FRAMES_FIELD_NUMBER


class _Told(NamedTuple):
    """``words`` are a field of a HostReport; the frame's own message begins at ``begin``."""

    facts: FrameFacts
    words: bytes
    begin: int


class Retelling:
    """The frames of one report after the other: most frames are what they were. On the reactor."""

    def __init__(self) -> None:
        self._told: dict[int, _Told] = {}

    def tell(self, frames: Iterable[FrameFacts]) -> bytes:
        """All ``frames`` as fields of a HostReport."""
        self._told = {id(facts.spec): self._telling(facts) for facts in frames}
        return b"".join(told.words for told in self._told.values())

    def renew(self, frames: Iterable[FrameFacts]) -> int:
        """Have words for these by the time that they are told; return how many they are."""
        told = {id(facts.spec): self._telling(facts) for facts in frames}
        self._told |= told
        return len(told)

    def one(self, facts: FrameFacts) -> bytes:
        """A RunningFrameInfo, serialised."""
        told = self._telling(facts)
        return told.words[told.begin :]

    def _telling(self, facts: FrameFacts) -> _Told:
        """It keeps the spec, and with that its id.

        What the worker that sampled the frame has put into words is part of these, and let go.
        """
        known = self._told.get(id(facts.spec))
        if known is None or not _same(known.facts, facts):
            frame = running_frame(facts).SerializeToString()
            words = wire.field(_FRAMES, frame)
            known = _Told(facts, words, len(words) - len(frame))
            facts.usage.forget()
        return known


def _same(before: FrameFacts, now: FrameFacts) -> bool:
    return (
        before.spec is now.spec
        and before.usage is now.usage
        and before.last_output == now.last_output
        and before.started_at == now.started_at
        and before.attributes == now.attributes
    )
