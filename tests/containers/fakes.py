"""An engine in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from rqd.containers.inside import CHAIN, PERMIT
from rqd.containers.interface import AGENT, Accounts, EngineAway, EngineRefused, Facts, IEngine

_MADE = Facts(False, 0, 0, False, "")
_ACCOUNTS = Accounts(b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n")


@implementer(IEngine)
class FakeEngine:
    """Containers end as soon as they are started, unless ``exit`` is one that runs.

    ``says`` is what each adds to its chain file; without a permit its first line alone. ``away``
    says why the engine does not answer. ``far`` are images that can be pulled.
    """

    def __init__(self) -> None:
        self.away = ""
        self.images = {"small": "sha256:1"}
        self.far = {"far": "sha256:2"}
        self.says = b"born 7\nup\nexit 0\n"
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.facts: dict[str, Facts] = {}
        self.exit = _MADE
        self.while_starting: Callable[[], object] = lambda: None

    def _answer(self) -> None:
        if self.away:
            raise EngineAway(self.away)

    def version(self) -> str:
        self._answer()
        return "fake"

    def image_id(self, name: str) -> str | None:
        self._answer()
        return name if name in self.images.values() else self.images.get(name)

    def pull(self, name: str, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._answer()
        if name not in self.far:
            raise EngineRefused(f"{name} does not exist")
        tell({"id": "layer", "status": "Pull complete", "progressDetail": {}})
        self.images[name] = self.far[name]

    def accounts(self, image: str, name: str, labels: Mapping[str, str]) -> Accounts:
        self._has(image)
        return _ACCOUNTS

    def _has(self, image: str) -> None:
        if self.image_id(image) is None:
            raise EngineRefused(f"No such image: {image}")

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        self._answer()
        self._has(body["Image"])
        if name in self.bodies:
            raise EngineRefused(f"{name} is in use")
        self.bodies[name] = body
        self.facts[name] = _MADE

    def start(self, name: str) -> None:
        self._answer()
        if name not in self.bodies:
            raise EngineRefused(f"No such container: {name}")
        self.while_starting()
        mounts = {m["Target"]: m["Source"] for m in self.bodies[name]["HostConfig"]["Mounts"]}
        for source in mounts.values():
            if not os.path.exists(source):
                raise EngineRefused(f"bind source path does not exist: {source}")
        may = os.path.getsize(mounts[PERMIT]) > 0
        with open(mounts[CHAIN], "ab") as file:
            file.write(self.says if may else self.says[: self.says.find(b"\n") + 1])
        self.facts[name] = self.exit if may else _MADE._replace(exit_code=125)
        self._answer()

    def look(self, name: str) -> Facts | None:
        self._answer()
        return self.facts.get(name)

    def ours(self, agent: str) -> list[str]:
        self._answer()
        return [name for name, body in self.bodies.items() if body["Labels"][AGENT] == agent]

    def remove(self, name: str) -> None:
        self._answer()
        self.bodies.pop(name, None)
        self.facts.pop(name, None)
