"""Ids as a Cuebot makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4


def new_id() -> str:
    return str(uuid4())


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of a job and its layers, made once for a run."""

    job: str = field(default_factory=new_id)
    layers: dict[str, str] = field(default_factory=dict)

    def layer(self, name: str) -> str:
        return self.layers.setdefault(name, new_id())
