"""What reports say of each frame, kept in serialised form until it is something else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rqd.proto import report_pb2
from rqd.report import wire
from rqd.report.messages import FrameFacts, running_frame

_FRAMES = report_pb2.HostReport.FRAMES_FIELD_NUMBER


class _Told(NamedTuple):
    facts: FrameFacts
    words: bytes


class Retelling:
    """The frames of one report after the other: most frames are what they were. On the reactor."""

    def __init__(self) -> None:
        self._told: dict[int, _Told] = {}

    def tell(self, frames: Iterable[FrameFacts]) -> bytes:
        """All ``frames`` as fields of a HostReport."""
        told: dict[int, _Told] = {}
        for facts in frames:
            known = self._told.get(id(facts.spec))
            if known is None or not _same(known.facts, facts):
                known = _Told(facts, wire.field(_FRAMES, running_frame(facts).SerializeToString()))
            told[id(facts.spec)] = known  # which keeps the spec, and with it its id
        self._told = told
        return b"".join(known.words for known in told.values())


def _same(before: FrameFacts, now: FrameFacts) -> bool:
    return (
        before.spec is now.spec
        and before.usage is now.usage
        and before.last_output == now.last_output
        and before.started_at == now.started_at
        and before.attributes == now.attributes
    )
