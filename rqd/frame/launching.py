"""How a launch becomes a frame: who it is to run as, then whether there is room for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from rqd.frame.lifecycle import Frame
from rqd.frame.loki import LokiNotice
from rqd.frame.roster import Roster
from rqd.frame.site import Site
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity, resolve
from rqd.logging.interfaces import IWorkers
from rqd.refusals import Unavailable

if TYPE_CHECKING:
    from rqd.config.settings import RunnerSettings

#: How long a look-up in the user database is waited for, seconds.
NAMES_PATIENCE = 5.0


class Launching:
    """``site`` is where frames start that come from now on. On the reactor."""

    def __init__(
        self,
        runner: RunnerSettings,
        roster: Roster,
        *,
        reactor: IReactorTime,
        workers: IWorkers,
        site: Callable[[], Site],
    ) -> None:
        self._runner = runner
        self._roster = roster
        self._reactor = reactor
        self._workers = workers
        self._site = site
        self._loki_notice = LokiNotice()

    def launch(self, spec: FrameSpec) -> Deferred[Frame]:
        """Fires once the frame is on disk; raises Refused, or fails with it."""
        self._loki_notice.heed(spec)
        runner = self._runner
        if runner.run_as_user:
            return Deferred.fromCoroutine(self._launch_as_user(spec))
        nobody = Identity(runner.default_uid, runner.default_gid, ())
        identity = nobody if runner.run_on_docker else None
        return self._roster.launch(spec, identity, self._site())

    async def _launch_as_user(self, spec: FrameSpec) -> Frame:
        """Names are resolved off the reactor, and first: root is refused, not reported later."""
        runner = self._runner
        self._roster.expect(spec.frame_id)
        found = self._workers.run_for(
            "names", resolve, spec, runner.default_uid, runner.default_gid
        )
        try:
            identity = await found.addTimeout(NAMES_PATIENCE, self._reactor, names_are_slow)
        finally:
            self._roster.expect_no_more(spec.frame_id)
        return await self._roster.launch(spec, identity, self._site())


def names_are_slow(_: object, seconds: float) -> Identity:
    raise Unavailable(f"the user database did not answer within {seconds:.0f} s")
