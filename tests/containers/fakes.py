"""An engine in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zope.interface import implementer

from rqd.containers.inside import CHAIN
from rqd.containers.interface import AGENT, Accounts, EngineAway, EngineRefused, Facts, IEngine


@implementer(IEngine)
class FakeEngine:
    """Containers end as soon as they are started: ``says`` is what each adds to its chain file.

    ``away`` says why it does not answer. ``far`` are images that can be pulled.
    """

    def __init__(self) -> None:
        self.away = ""
        self.images = {"small": "sha256:1"}
        self.far = {"far": "sha256:2"}
        self.says = b"born 7\nup\nexit 0\n"
        self.bodies: dict[str, Mapping[str, Any]] = {}
        self.facts: dict[str, Facts] = {}
        self.exit = Facts("id", False, 0, 0, False, "")
        self.while_starting: Callable[[], object] = lambda: None

    def _answer(self) -> None:
        if self.away:
            raise EngineAway(self.away)

    def version(self) -> str:
        self._answer()
        return "fake"

    def image_id(self, name: str) -> str | None:
        self._answer()
        return self.images.get(name)

    def pull(self, name: str, tell: Callable[[Mapping[str, Any]], None]) -> None:
        self._answer()
        if name not in self.far:
            raise EngineRefused(f"{name} does not exist")
        tell({"id": "layer", "status": "Pull complete", "progressDetail": {}})
        self.images[name] = self.far[name]

    def accounts(self, image: str, name: str, labels: Mapping[str, str]) -> Accounts:
        self._answer()
        return Accounts(b"root:x:0:0:root:/root:/bin/sh\n", b"root:x:0:\n")

    def create(self, name: str, body: Mapping[str, Any]) -> None:
        self._answer()
        self.bodies[name] = body
        self.facts[name] = Facts("id", False, 0, 0, False, "")

    def start(self, name: str) -> None:
        self._answer()
        self.while_starting()
        mounts = self.bodies[name]["HostConfig"]["Mounts"]
        (chain,) = (mount["Source"] for mount in mounts if mount["Target"] == CHAIN)
        with open(chain, "ab") as file:
            file.write(self.says)
        self.facts[name] = self.exit
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
