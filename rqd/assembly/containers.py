"""Frames in containers, on hosts where there are any, or were.

Elsewhere nothing of ``rqd.containers`` is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rqd.system.cgroups import tree_name

if TYPE_CHECKING:
    from rqd.assembly.ground import Ground
    from rqd.containers.containers import Containers
    from rqd.frame.adopted import AdoptedFrame
    from rqd.frame.site import Site
    from rqd.frame.statedisk import StateDisk


class LateContainers:
    """Opened by the configuration, or by the first frame that is found in a container."""

    def __init__(self, ground: Ground, *, disk: StateDisk, changed: Callable[[], object]) -> None:
        """``changed`` is called when the engine goes away or is back."""
        self._ground = ground
        self._disk = disk
        self._changed = changed
        self._containers: Containers | None = None
        self._for_launches = ground.settings.runner.run_on_docker
        if self._for_launches:
            self._containers = self._open()

    @property
    def away(self) -> str:
        """Why the engine can't be asked; empty while it can, or need not."""
        return self._containers.away if self._containers is not None else ""

    def start(self) -> None:
        """Once the frames of an earlier agent are found."""
        if self._containers is not None:
            self._containers.start()

    def stop(self) -> None:
        if self._containers is not None:
            self._containers.stop()

    def launch_site(self, site: Site) -> Site:
        """Frames that an earlier agent started go on where they are; new ones as configured."""
        if not self._for_launches:
            return site
        from rqd.containers.frame import ContainedFrame

        assert self._containers is not None
        return site._replace(berths=self._containers, live_as=ContainedFrame)

    def adopted(self, site: Site, *found: Any, **facts: Any) -> AdoptedFrame:
        """A frame of an earlier agent's that was in a container."""
        from rqd.containers.frame import AdoptedContainer

        if self._containers is None:
            self._containers = self._open()
        recorded, spec = found
        return AdoptedContainer(recorded, spec, self._containers, site, **facts)

    def _open(self) -> Containers:
        from rqd.containers.containers import Containers, Terms
        from rqd.containers.engine import DockerEngine

        runner, docker = self._ground.settings.runner, self._ground.settings.docker
        reactor = self._ground.reactor
        containers = Containers(
            runner.snapshots_path,
            Terms(
                docker,
                runner.docker_images,
                runner.docker_default_image,
                runner.docker_mounts,
                agent=tree_name(runner.snapshots_path),
            ),
            engine=DockerEngine(docker),
            reactor=reactor,
            watching=reactor,
            from_thread=reactor.callFromThread,
            workers=self._ground.workers,
            disk=self._disk,
            changed=self._changed,
        )
        containers.prepare()
        return containers
