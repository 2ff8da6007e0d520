"""Which image a frame gets, and how it comes to this host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rqd.containers.interface import EngineRefused

#: Seconds between two sentences about a pull.
_PACE = 5.0


def image_for(system: str, images: Mapping[str, str], default: str) -> str:
    """The image for an operating system, whatever its case; raises EngineRefused."""
    for name, image in images.items():
        if name.lower() == system.lower():
            return image
    if default:
        return default
    known = ", ".join(sorted(images)) or "none"
    raise EngineRefused(
        f"there is no image for the operating system {system!r}, and no default one"
        f" (docker_default_image); known are: {known}"
    )


class Progress:
    """What an engine says of a pull, in few sentences; in the thread that pulls."""

    def __init__(
        self,
        image: str,
        say: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._image = image
        self._say = say
        self._monotonic = monotonic
        self._layers: dict[str, tuple[int, bool]] = {}
        self._next = monotonic()

    def __call__(self, said: Mapping[str, Any]) -> None:
        layer, status = str(said.get("id", "")), str(said.get("status", ""))
        if "progressDetail" in said or layer in self._layers:
            detail = said.get("progressDetail") or {}
            size = int(detail.get("current") or 0) if status == "Downloading" else 0
            size = max(size, self._layers.get(layer, (0, False))[0])
            self._layers[layer] = (size, status in ("Pull complete", "Already exists"))
        if self._monotonic() >= self._next:
            self._next = self._monotonic() + _PACE
            self._say(self._sentence())

    def _sentence(self) -> str:
        done = sum(over for _, over in self._layers.values())
        mebibytes = sum(size for size, _ in self._layers.values()) / (1 << 20)
        return (
            f"pulling image {self._image}: {done} of {len(self._layers)} layers,"
            f" {mebibytes:.0f} MiB"
        )
