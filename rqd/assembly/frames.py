"""The frame room: all that a frame's life needs, with its order of start and stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from rqd.assembly.containers import LateContainers
from rqd.blanks import Blanks
from rqd.frame.berths import Berths
from rqd.frame.clearing import Clearing
from rqd.frame.highwater import load
from rqd.frame.housekeeping import Housekeeping
from rqd.frame.launching import Launching
from rqd.frame.recall import reports
from rqd.frame.records import STATE, Records
from rqd.frame.recovery import Recovery
from rqd.frame.roster import Roster
from rqd.frame.site import Site
from rqd.frame.spawning import raise_descriptor_limit
from rqd.frame.statedisk import StateDisk
from rqd.frame.supervisor import Supervisors
from rqd.frame.terms import surroundings, terms
from rqd.frame.withholding import Withholding
from rqd.logging.framelogs import FrameLogs
from rqd.system.cgroups import CgroupTree, tree_name

if TYPE_CHECKING:
    from rqd.assembly.ground import Ground
    from rqd.assembly.machine import Machine
    from rqd.config import Settings
    from rqd.frame.exits import FrameEnd
    from rqd.frame.lifecycle import Frame
    from rqd.frame.spec import FrameSpec
    from rqd.system.condition import HostCondition

#: When a start is over, and its processor time nobody else's, seconds.
SETTLED = 0.5


class Frames:
    """``roster`` knows all frames; new ones come by ``launch``."""

    def __init__(
        self,
        ground: Ground,
        machine: Machine,
        *,
        umask: int,
        condition: Callable[[], HostCondition],
        post: Callable[[str, bytes | None, bool], None],
        compose: Callable[[Frame, FrameEnd], bytes],
        changed: Callable[[], object],
    ) -> None:
        """``condition`` and ``post``: see ``Roster``; ``compose``: see ``Site``.

        ``changed`` is called when ``withheld`` is another.
        """
        runner = ground.settings.runner
        reactor, workers = ground.reactor, ground.workers
        self._ground = ground
        self._blanks = Blanks(runner.snapshots_path)
        self._records = Records(runner.snapshots_path, runner.temp_path, self._blanks)
        self._disk = StateDisk(
            [runner.snapshots_path, runner.temp_path], reactor=reactor, workers=workers
        )
        self._clearing = Clearing(reactor=reactor, disk=self._disk)
        self.roster = Roster(
            ledger=machine.ledger,
            post=post,
            condition=condition,
            clearing=self._clearing,
            disk=self._disk,
            reactor=reactor,
        )
        self._withholding = Withholding(machine.ledger, reactor=reactor, changed=changed)
        self._groups = CgroupTree.open(
            tree_name(runner.snapshots_path), membership=ground.home.membership
        )
        self._supervisors = Supervisors(ground.processes, reactor=reactor)
        self._berths = Berths(
            runner.snapshots_path,
            reactor=reactor,
            supervisors=self._supervisors,
            disk=self._disk,
            clearing=self._clearing,
            groups=self._groups,
            beside=ground.home.beside,
        )
        self._terms = partial(terms, umask=umask, descriptors=raise_descriptor_limit())
        self._site = self._make_site(machine, compose)
        self._containers = LateContainers(ground, disk=self._disk, changed=changed)
        self._launching = Launching(
            runner,
            self.roster,
            reactor=reactor,
            workers=workers,
            site=lambda: self._containers.launch_site(self._site),
        )
        self._housekeeping = Housekeeping(
            self._records, reactor=reactor, disk=self._disk, keys=self.roster.keys
        )

    def _make_site(self, machine: Machine, compose: Callable[[Frame, FrameEnd], bytes]) -> Site:
        ground = self._ground
        logs = FrameLogs(
            reactor=ground.reactor,
            workers=ground.workers,
            wakeups=ground.wakeups,
            table=ground.table,
            blanks=self._blanks,
            max_size=ground.settings.runner.log_max_size,
            spools_hang=lambda: self._disk.hesitates,
        )
        return Site(
            reactor=ground.reactor,
            terms=self._terms(ground.settings),
            environment=surroundings(
                ground.settings, ground.name, lambda: machine.gpus.totals.free
            ),
            ledger=machine.ledger,
            withholding=self._withholding,
            records=self._records,
            disk=self._disk,
            berths=self._berths,
            clearing=self._clearing,
            workers=ground.workers,
            logs=logs,
            oom_kills=machine.oom_kills,
            compose=compose,
            frames=self.roster.all,
            time=time.time,
        )

    # -- start and stop ------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders; raises OSError."""
        self._blanks.prepare()
        self._records.prepare()
        self._berths.prepare()

    def recover(self, parse: Callable[[bytes], FrameSpec]) -> None:
        """Find the frames of an earlier agent, before a call is answered; raises OSError."""
        used = load(self._ground.settings.runner.snapshots_path)
        recovery = Recovery(
            self._site,
            self.roster,
            reactor=self._ground.reactor,
            groups=self._groups,
            parse=parse,
            used=used.get,
            contained=partial(self._containers.adopted, self._site),
        )
        recovery.run()
        self._containers.start()

    def start(self) -> None:
        """Look for old files, make places for frames."""
        self._housekeeping.start()
        self._berths.start()
        self._ground.reactor.callLater(SETTLED, self._make_blanks)

    def _make_blanks(self) -> None:
        """A disk that takes none is in trouble, and says so itself."""
        self._disk.write(self._blanks.fill).addErrback(lambda failure: None)

    async def stop(self) -> None:
        """Let go of the frames, which go on. The last of the disk work is under way then."""
        self._housekeeping.stop()
        self.roster.leave()
        await self._berths.stop()
        self._containers.stop()
        self._supervisors.stop()
        self._clearing.flush()
        self._disk.run(self._blanks.clear).addErrback(lambda failure: None)

    def close(self) -> None:
        """Once no work is under way."""
        if self._groups is not None:
            self._groups.close()

    # -- what others ask -----------------------------------------------------------------------

    def launch(self, spec: FrameSpec) -> Deferred[Frame]:
        """Fires once the frame is taken; raises Refused, or fails with it."""
        return self._launching.launch(spec)

    def come_to_terms(self, settings: Settings) -> None:
        """For frames that start from now on."""
        self._site = self._site._replace(terms=self._terms(settings))

    def fetch(self, keys: Sequence[str]) -> Deferred[Sequence[bytes | Exception]]:
        """Read completions back from their records."""
        paths = [self._records.files(key).record for key in keys]
        return self._ground.workers.run_for(STATE, reports, paths)

    def withheld(self) -> str:
        """Why the host does less than it could, for people."""
        return "; ".join(filter(None, (self._withholding.reason, self._containers.away)))
