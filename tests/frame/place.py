"""A host for frames: real files in a temp folder, everything else in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rqd.blanks import Blanks
from rqd.frame.berths import Berths
from rqd.frame.clearing import Clearing
from rqd.frame.environment import STANDARD_PATH, HostEnvironment
from rqd.frame.ladder import Grace
from rqd.frame.lifecycle import Frame
from rqd.frame.recall import reports
from rqd.frame.records import Records, new_key
from rqd.frame.remains import Remains
from rqd.frame.roster import REST, Roster
from rqd.frame.site import Site, Terms
from rqd.frame.spec import FrameSpec
from rqd.frame.statedisk import StateDisk
from rqd.frame.supervisor import Supervisors
from rqd.frame.users import Identity
from rqd.frame.withholding import Withholding
from rqd.system.cgroups import CgroupTree
from rqd.system.condition import HostCondition
from rqd.system.oomkills import OomKills
from rqd.system.reservations import Ledger
from rqd.system.topology import Core, Topology
from tests.frame.fakes import FakeProcess, ProcessReactor, Workers, composed
from tests.logging.fakes import MemoryLog, MemoryLogs
from tests.report.facts import frame_spec

#: Seconds since the epoch at the beginning of every test.
NOW = 1_700_000_000.0


class Place:
    """What a test of frames needs; a host of four cores."""

    def __init__(self, case: SynchronousTestCase, logs: MemoryLogs | None = None) -> None:
        self.folder = Path(case.mktemp()).resolve()
        self.state, self.temp = self.folder / "state", self.folder / "temp"
        self.reactor = ProcessReactor()
        self.workers = Workers()
        self.logs = logs or MemoryLogs()
        cores = tuple(Core(0, number, (number, number + 4)) for number in range(4))
        self.ledger = Ledger(Topology(cores), total=400)
        records = Records(str(self.state), str(self.temp), Blanks(str(self.state)))
        records.prepare()
        self.supervisors = Supervisors(self.reactor, reactor=self.reactor)
        self.disk = StateDisk(
            [str(self.state), str(self.temp)], reactor=self.reactor, workers=self.workers
        )
        self.clearing = Clearing(reactor=self.reactor, disk=self.disk)
        self.resting: Deferred[Remains] = Deferred()
        """What is left of the frame that was over last."""
        self.posted: list[tuple[str, bytes]] = []
        self.in_memory_only: list[str] = []
        """The keys of those posted that are not on disk."""
        self.launched: Deferred[Frame] = Deferred()
        """The answer that the last launch of the roster's got."""
        self.condition = HostCondition()
        self.told = 0
        self.withholding = Withholding(self.ledger, reactor=self.reactor, changed=self.tell)
        self.roster = Roster(
            ledger=self.ledger,
            post=self._post,
            condition=lambda: self.condition,
            clearing=self.clearing,
            disk=self.disk,
            reactor=self.reactor,
        )
        self.site = Site(
            reactor=self.reactor,
            terms=Terms(
                shell="/bin/sh",
                folder=str(self.temp),
                umask=0o022,
                descriptors=1024,
                nice=False,
                timestamps=True,
                grace=Grace(timeout=30.0, interval=1.0, force=True),
                scan_lines=50,
                rules=(),
            ),
            environment=HostEnvironment("render042", STANDARD_PATH, {}),
            ledger=self.ledger,
            withholding=self.withholding,
            records=records,
            disk=self.disk,
            berths=self.berths(None),
            clearing=self.clearing,
            workers=self.workers,
            logs=self.logs,
            oom_kills=OomKills([str(self.folder / "vmstat")], monotonic=self.reactor.seconds),
            compose=composed,
            frames=self.roster.all,
            time=lambda: NOW + self.reactor.seconds(),
        )
        case.addCleanup(self.close)

    def tell(self) -> None:
        """Cuebot would be told of a change now."""
        self.told += 1

    def _post(self, key: str, report: bytes | None, kept: bool) -> None:
        """Take a report, or look it up where it is only on disk."""
        if report is None:
            (found,) = reports([self.site.records.files(key).record])
            assert isinstance(found, bytes), found
            report = found
        self.posted.append((key, report))
        if not kept:
            self.in_memory_only.append(key)

    def terms(self, **changes: Any) -> None:
        """Frames that come later run under other terms."""
        self.change(terms=self.site.terms._replace(**changes))

    def change(self, **changes: Any) -> None:
        """Frames that come later find another site."""
        self.site = self.site._replace(**changes)

    def groups(self) -> Path:
        """Frames that come later get control groups, in a folder that looks like those."""
        tree = self.folder / "cgroup"
        tree.mkdir()
        self.change(berths=self.berths(CgroupTree(tree)))
        return tree

    def berths(self, groups: CgroupTree | None) -> Berths:
        """Berths that are made when they are needed."""
        berths = Berths(
            str(self.state),
            reactor=self.reactor,
            supervisors=self.supervisors,
            disk=self.disk,
            clearing=self.clearing,
            groups=groups,
        )
        berths.prepare()
        return berths

    def frame(self, identity: Identity | None = None, **changes: Any) -> Frame:
        """A frame that was accepted and does not live yet."""
        spec = frame_spec(**{"log_dir": str(self.folder)} | changes)
        key = new_key(spec.frame_id)
        reservation = self.ledger.reserve(
            key, spec.num_cores, pin=spec.threadable, gpus=spec.num_gpus
        )
        return Frame(spec, key, reservation, identity, self.site)

    def launch(self, **changes: Any) -> Frame:
        """A frame of the roster's, which lives at once."""
        spec = self.spec(**changes)
        self.launched = self.roster.launch(spec, None, self.site)
        if self.launched.called and isinstance(self.launched.result, Frame):
            return self.launched.result
        return self.roster.get(spec.frame_id)

    def spec(self, **changes: Any) -> FrameSpec:
        return frame_spec(**{"log_dir": str(self.folder)} | changes)

    def live(self, frame: Frame) -> Deferred[bytes]:
        """Let it live, as far as it gets without time going by."""
        life = Deferred.fromCoroutine(self._life(frame))
        self.turn()
        return life

    async def _life(self, frame: Frame) -> bytes:
        """As the roster would have it."""
        report = await frame.live()
        self.reactor.callLater(0, self._leave, frame)
        return report

    def _leave(self, frame: Frame) -> None:
        self.resting = Deferred.fromCoroutine(frame.come_to_rest())

    def turn(self) -> None:
        """What the reactor does next, of what no time has to go by for."""
        for _ in range(3):
            self.reactor.advance(0)

    def rest(self) -> None:
        """Until frames whose reports are on their way have come to rest."""
        self.reactor.advance(REST)
        self.turn()

    @property
    def process(self) -> FakeProcess:
        """The one that was started last."""
        return self.reactor.spawned[-1]

    def started(self) -> int:
        """How many frames were started."""
        return sum(bool(process.orders) for process in self.reactor.spawned)

    def log(self, frame: Frame) -> MemoryLog:
        return self.logs.logs[frame.output.path]

    def left(self) -> list[str]:
        """The files that are kept of frames."""
        return sorted(p.name for p in self.folder.rglob("*") if p.is_file())

    def close(self) -> None:
        """Close what processes still hold that no test ended."""
        self.supervisors.stop()
        for process in self.reactor.spawned:
            process.close()
