"""The composition root: the only place where the parts of the agent meet.

Start and stop happen in the order in which they are written down here. Starting is synchronous: the
reactor doesn't run yet, and an agent that can't serve must say so at once. Stopping is bounded in
time and leaves frames running.
"""

from __future__ import annotations

import atexit
import gc
import os
import platform
import signal
import time
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorFDSet
from twisted.logger import globalLogPublisher

from rqd import __version__
from rqd.blanks import Blanks
from rqd.config import Loaded, Settings
from rqd.config.settings import MachineSettings
from rqd.ending import Ending, IEndingReactor
from rqd.frame.berths import Berths
from rqd.frame.clearing import Clearing
from rqd.frame.environment import HostEnvironment, host_environment
from rqd.frame.highwater import HighWater, load
from rqd.frame.housekeeping import Housekeeping
from rqd.frame.ladder import UNKILLABLE, Grace
from rqd.frame.lifecycle import Frame
from rqd.frame.loki import LokiNotice
from rqd.frame.members import IMembers
from rqd.frame.patience import TooLate, within
from rqd.frame.protection import MemoryProtection
from rqd.frame.recall import reports
from rqd.frame.records import STATE, Records
from rqd.frame.recovery import Recovery
from rqd.frame.roster import Roster
from rqd.frame.site import Site, Terms
from rqd.frame.spawning import SessionSpawner, raise_descriptor_limit
from rqd.frame.spec import FrameSpec, parse
from rqd.frame.statedisk import StateDisk
from rqd.frame.supervisor import Supervisors
from rqd.frame.users import Identity, resolve
from rqd.frame.withholding import Withholding
from rqd.grpc_import import load_grpc
from rqd.holding import Held, StateFolder
from rqd.host.departures import KILL_MARGIN
from rqd.host.kept import KeptStanding
from rqd.host.room import HostRoom
from rqd.host.running import Runner
from rqd.log import Logger, set_threshold
from rqd.logging import agent as agent_log
from rqd.logging.framelogs import FrameLogs
from rqd.logging.mounts import IWorkersReactor, MountWorkers
from rqd.logging.mounttable import MountTable
from rqd.logging.rules import ExitStatusRule
from rqd.logging.wakeups import Wakeups
from rqd.refusals import Unavailable
from rqd.report.cuebot import IReactorReports
from rqd.report.messages import FrameFacts
from rqd.system import oomkills
from rqd.system.cgroups import CgroupTree
from rqd.system.cpuquota import read_cpu_quota
from rqd.system.cpuset import allowed_processors
from rqd.system.enclosing import enclosing_groups
from rqd.system.gpus import by_index, by_uuid
from rqd.system.gpuusage import GpuUsage
from rqd.system.gpuwatch import GpuWatch
from rqd.system.headroom import has_room
from rqd.system.home import find_home
from rqd.system.host import HostSampler
from rqd.system.network import SystemNames, report_name
from rqd.system.nvml import NvmlDriver
from rqd.system.oomkills import OomKills
from rqd.system.oomscore import protect_agent
from rqd.system.processes import ProcessReader
from rqd.system.reservations import Ledger
from rqd.system.sampler import Sampler
from rqd.system.sampling import Sampling
from rqd.system.shape import host_shape
from rqd.system.tempstorage import TempStorage
from rqd.system.usable import UsableProcessors, usable_processors
from rqd.system.usage import FrameUsage

if TYPE_CHECKING:
    from rqd.containers.containers import Containers
    from rqd.frame.adopted import AdoptedFrame
    from rqd.rereading import Rereading
    from rqd.systemd.attendant import Attendant


class IAgentReactor(IReactorReports, IWorkersReactor, IReactorFDSet, IEndingReactor):
    """What the agent needs of the reactor."""


#: When a start is over, and its processor time nobody else's, seconds.
SETTLED = 0.5
#: How long the completions of killed frames are tried before a departure goes on, seconds.
DELIVERY_PATIENCE = 30.0
#: How long Cuebot may take to hear of the departure itself, seconds.
TELLING_PATIENCE = 2.0
#: How long a stop waits for disk work that is under way, seconds.
DISK_PATIENCE = 5.0
#: How long a look-up in the user database may take before a launch is refused, seconds.
NAMES_PATIENCE = 5.0
#: How long the startup report waits for the size of the temp storage, seconds.
TEMP_PATIENCE = 2.0
#: How long it waits for GPUs, seconds: Cuebot learns of them from that report only.
GPU_PATIENCE = 10.0
#: How long the stop of the agent itself may take, all its patience added up, seconds.
STOP_PATIENCE = 20.0
#: The variable by which systemd says where it listens.
NOTIFY_SOCKET = "NOTIFY_SOCKET"
#: What of the terms of frames may change while the agent runs. The kill ladder's times may not:
#: the stop of the service is bounded by them, and systemd is told of that bound.
LIVE_TERMS = (
    "runner.desktop_mode",
    "runner.log_exit_status_rules",
    "runner.log_scan_last_lines",
    "runner.prepend_timestamp",
    "runner.shell_path",
)
#: How long a call may take; Cuebot's own deadline is 10 s.
CALL_DEADLINE = 10.0


class CannotStart(SystemExit, Exception):
    """The agent can't serve; the sentence says why, and is all that a person gets to see.

    A SystemExit, so that no runner prints a traceback and the exit status is 1. An Exception too,
    because twistd removes its pid file, and a detaching one tells its caller why, only for those.
    """


class Agent:
    """The agent as its runners see it: nothing until it is started, then an ``Assembly``."""

    log = Logger()

    def __init__(
        self, loaded: Loaded, *, reactor: IAgentReactor, umask: int, load: Callable[[], Loaded]
    ) -> None:
        """``load`` reads the configuration again; it blocks on the disk."""
        self._settings = loaded.settings
        self._reactor = reactor
        self._umask = umask
        self._warnings = loaded.warnings
        self._load = load
        self._assembly: Assembly | None = None
        self._state: StateFolder | None = None
        self._flush_log: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Assemble and serve; raises CannotStart where that can't be."""
        from rqd.servant.server import CannotListen

        try:
            self._state = StateFolder(self._settings.runner.snapshots_path)
            self._log_to_file()
            self.log.info(
                "starting openrqd={version} python={python}",
                version=__version__,
                python=platform.python_version(),
                host_event="start",
            )
            for warning in self._warnings:
                self.log.warn("configuration: {sentence}", sentence=warning)
            if self._state.problem:
                self.log.warn("{sentence}", sentence=self._state.problem)
            self._assembly = Assembly(
                self._settings, reactor=self._reactor, umask=self._umask, load=self._load
            )
            self._assembly.start()
        except (OSError, ValueError, CannotListen, Held) as problem:
            self.log.critical("can't start: {problem}", problem=problem)
            if socket := os.environ.get(NOTIFY_SOCKET):
                from rqd.systemd.notify import say_last

                say_last(socket, f"can't start: {problem}")
            self._flush_log()
            self._release_state()
            raise CannotStart(f"openrqd: {problem}") from problem
        gc.freeze()  # what is there by now lives as long as the agent: no collection need see it
        gc.enable()

    def _log_to_file(self) -> None:
        """Log to the file, if there is to be one, to the last line; raises OSError."""
        if not self._settings.logging.file_appender:
            return
        file = agent_log.to_file(self._settings.logging)
        self._flush_log = partial(file.flush, agent_log.LAST_LINES)
        globalLogPublisher.addObserver(file)
        atexit.register(self._flush_log)
        # Under twistd the process dies of its signal afterwards, without any other chance.
        self._reactor.addSystemEventTrigger("after", "shutdown", self._flush_log)

    def stop(self) -> Deferred[None]:
        """Fires, within a bounded time, once all of it has ended."""
        if self._assembly is None:
            return succeed(None)
        return Deferred.fromCoroutine(self._stop(self._assembly))

    async def _stop(self, assembly: Assembly) -> None:
        try:
            await assembly.stop()
        finally:
            self._release_state()

    def _release_state(self) -> None:
        """Let the next agent have the state folder."""
        state, self._state = self._state, None
        if state is not None:
            state.release()


class Assembly:
    """The parts of a running agent, put together room by room.

    Modules that import gRPC are imported here and not above: ``twistd`` has forked by now.
    """

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        reactor: IAgentReactor,
        umask: int,
        load: Callable[[], Loaded],
    ) -> None:
        load_grpc()  # before any module that imports it by itself
        self._settings = settings
        self._load = load
        self._rereading: Rereading | None = None
        self._reactor = reactor
        self._ending = Ending(reactor=reactor)
        self._name = report_name(
            settings.machine, SystemNames(listening_on=settings.grpc.rqd_interface)
        )
        self._home = find_home(os.environ)
        self._table = MountTable()
        self._workers = MountWorkers(reactor=reactor, table=self._table)
        self._wakeups = Wakeups(reactor=reactor)
        self._assemble_host()
        self._assemble_reports()
        self._assemble_frames(umask)
        self._assemble_host_room()
        self._assemble_servant()
        self._assemble_systemd()

    # -- the rooms -----------------------------------------------------------------------------

    def _assemble_host(self) -> None:
        machine, runner = self._settings.machine, self._settings.runner
        home = self._home.membership
        processors = usable_processors(
            machine.cpuinfo_path,
            affinity=affinity(home),
            quota=read_cpu_quota(enclosing_groups("cpu", membership=home)),
        )
        self.log.info(
            "processors cores={cores} threads={threads} quota={quota}",
            cores=len(processors.counted.cores),
            threads=len(processors.counted.threads),
            quota=processors.quota,
        )
        self._ledger = ledger(machine, processors)
        self._standing = KeptStanding(
            self._settings,
            self._ledger,
            reactor=self._reactor,
            workers=self._workers,
            tell=self._tell_cuebot,
        )
        in_worker = partial(self._workers.run, machine.temp_path)
        self._temp = TempStorage(machine.temp_path, in_worker=in_worker)
        self._host = HostSampler(
            machine,
            processors,
            name=self._name,
            temp_storage=self._temp,
            membership=home,
            systems=runner.docker_images if runner.run_on_docker else (),
        )
        self._gpus = GpuWatch(
            NvmlDriver(),
            reactor=self._reactor,
            run_for=self._workers.run_for,
            interval=machine.monitor_interval,
            offer=self._ledger.offer_gpus,
        )
        self._gpu_usage = GpuUsage()
        self._sampler = Sampler(ProcessReader())
        self._sampling = Sampling(
            reactor=self._reactor,
            interval=machine.monitor_interval,
            measure=self._measure,
            deliver=self._sampled,
        )

    def _assemble_reports(self) -> None:
        from rqd.report.sending import Sending
        from rqd.report.telling import Telling

        self._telling = Telling(
            clock=self._reactor,
            sample=self._host.sample,
            condition=lambda: self._standing.condition._replace(withheld=self._withheld()),
            gpus=lambda: self._gpus.totals,
            counts=self._ledger.counts,
            frames=lambda: map(facts_of, self._roster.all()),
            completions=lambda: self._sending.outbox.late,
        )
        self._sending = Sending(
            self._settings,
            reactor=self._reactor,
            telling=self._telling,
            fetch=self._fetch,
            settled=self._settled,
        )

    def _assemble_frames(self, umask: int) -> None:
        runner = self._settings.runner
        self._loki_notice = LokiNotice()
        self._blanks = Blanks(runner.snapshots_path)
        self._records = Records(runner.snapshots_path, runner.temp_path, self._blanks)
        self._disk = StateDisk(
            [runner.snapshots_path, runner.temp_path], reactor=self._reactor, workers=self._workers
        )
        self._clearing = Clearing(reactor=self._reactor, disk=self._disk)
        self._roster = Roster(
            ledger=self._ledger,
            post=self._sending.outbox.post,
            condition=lambda: self._standing.condition,
            clearing=self._clearing,
            disk=self._disk,
            reactor=self._reactor,
        )
        self._withholding = Withholding(
            self._ledger, reactor=self._reactor, changed=self._tell_cuebot
        )
        self._oom_kills = OomKills(oomkills.counters(membership=self._home.membership))
        self._protection = MemoryProtection(
            self._settings.machine.memory_oom_margin_percentage,
            memory=self._host.memory,
            frames=self._roster.all,
            monotonic=self._reactor.seconds,
        )
        self._groups = CgroupTree.open(
            tree_name(runner.snapshots_path), membership=self._home.membership
        )
        self._processes = SessionSpawner(self._reactor)
        self._supervisors = Supervisors(self._processes, reactor=self._reactor)
        self._berths = Berths(
            runner.snapshots_path,
            reactor=self._reactor,
            supervisors=self._supervisors,
            disk=self._disk,
            clearing=self._clearing,
            groups=self._groups,
            beside=self._home.beside,
        )
        self._logs = FrameLogs(
            reactor=self._reactor,
            workers=self._workers,
            wakeups=self._wakeups,
            table=self._table,
            blanks=self._blanks,
            max_size=runner.log_max_size,
            spools_hang=lambda: self._disk.hesitates,
        )
        self._terms = partial(terms, umask=umask, descriptors=raise_descriptor_limit())
        self._site = Site(
            reactor=self._reactor,
            terms=self._terms(self._settings),
            environment=frame_surroundings(
                self._settings, self._name, lambda: self._gpus.totals.free
            ),
            ledger=self._ledger,
            withholding=self._withholding,
            records=self._records,
            disk=self._disk,
            berths=self._berths,
            clearing=self._clearing,
            workers=self._workers,
            logs=self._logs,
            oom_kills=self._oom_kills,
            compose=lambda frame, end: self._telling.completion(facts_of(frame), end),
            frames=self._roster.all,
            time=time.time,
        )
        self._containers: Containers | None = None
        if runner.run_on_docker:
            self._assemble_containers()
        self._housekeeping = Housekeeping(
            self._records, reactor=self._reactor, disk=self._disk, keys=self._roster.keys
        )
        self._high_water = HighWater(
            runner.snapshots_path,
            reactor=self._reactor,
            workers=self._workers,
            frames=self._roster.all,
        )

    def _assemble_containers(self) -> Containers:
        """The engine, and what it runs for us; only where frames are in containers, or were."""
        from rqd.containers.containers import Containers
        from rqd.containers.containers import Terms as ContainerTerms
        from rqd.containers.engine import DockerEngine

        runner, docker = self._settings.runner, self._settings.docker
        containers = Containers(
            runner.snapshots_path,
            ContainerTerms(
                docker,
                runner.docker_images,
                runner.docker_default_image,
                runner.docker_mounts,
                agent=tree_name(runner.snapshots_path),
            ),
            engine=DockerEngine(docker),
            reactor=self._reactor,
            watching=self._reactor,
            from_thread=self._reactor.callFromThread,
            workers=self._workers,
            disk=self._disk,
            changed=self._tell_cuebot,
        )
        containers.prepare()
        self._containers = containers
        return containers

    def _contained(self, *found: Any, **facts: Any) -> AdoptedFrame:
        """A frame of an earlier agent's that was in a container."""
        from rqd.containers.frame import AdoptedContainer

        containers = self._containers or self._assemble_containers()
        recorded, spec = found
        return AdoptedContainer(recorded, spec, containers, self._site, **facts)

    def _assemble_host_room(self) -> None:
        self._room = HostRoom(
            self._settings,
            self._standing,
            self._roster,
            reactor=self._reactor,
            workers=self._workers,
            processes=self._processes,
            has_room=self._has_room,
            deliver=lambda: Deferred.fromCoroutine(self._deliver()),
            stop=self._ending.begin,
        )

    def _assemble_servant(self) -> None:
        from rqd.servant.bridge import ReactorBridge
        from rqd.servant.frame_calls import FrameCalls
        from rqd.servant.host_calls import HostCalls
        from rqd.servant.rqd_interface import register
        from rqd.servant.server import GrpcServer

        self._bridge = ReactorBridge(reactor=self._reactor, deadline=CALL_DEADLINE)
        frames = FrameCalls(self._roster, launch=self._launch, facts=facts_of)
        host = HostCalls(
            self._standing, self._room.nimby, self._room.departures, report=self._telling.status
        )
        self._server = GrpcServer(
            reactor=self._reactor,
            interface=self._settings.grpc.rqd_interface.replace("all", ""),
            port=self._settings.grpc.rqd_port,
            worker_threads=self._settings.machine.worker_threads,
            register=[partial(register, self._bridge, frames, host)],
        )

    def _assemble_systemd(self) -> None:
        """Where systemd runs the agent as a service that speaks to it."""
        self._attendant: Attendant | None = None
        socket = os.environ.get(NOTIFY_SOCKET)
        if not socket:
            return
        from rqd.systemd.attendant import Attendant, Situation, Work
        from rqd.systemd.notify import Notifier

        def situation() -> Situation:
            return Situation(
                len(self._roster.all()),
                self._ledger.counts(),
                self._sending.cuebot_answers,
                self._sending.outbox.waiting,
            )

        grace = self._settings.runner.kill_monitor_timeout
        self._attendant = Attendant(
            Notifier(socket),
            Work(
                situation,
                self._room.departures.wind_up,
                grace + KILL_MARGIN + DELIVERY_PATIENCE + TELLING_PATIENCE + STOP_PATIENCE,
            ),
            reactor=self._reactor,
            runner=Runner(reactor=self._reactor, processes=self._processes, environ=os.environ),
        )

    # -- start and stop ------------------------------------------------------------------------

    def start(self) -> None:
        """Serve, then tell Cuebot; raises OSError or CannotListen."""
        self._blanks.prepare()
        self._records.prepare()
        self._berths.prepare()
        protect_agent()
        self._standing.load()
        self._server.start()
        self._recover()
        measured = self._temp.start()
        looked = self._gpus.start()
        self._sampling.start()
        self._housekeeping.start()
        self._berths.start()
        self._reactor.callLater(SETTLED, self._make_blanks)
        self._reactor.callWhenRunning(self._heed_signals)
        self._reactor.callWhenRunning(self._room.start)
        self._reactor.callWhenRunning(self._announce, measured, looked)

    def _heed_signals(self) -> None:
        """The reactor runs, and calls are answered."""
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reread))
        if self._attendant is None:
            self._ending.heed_signals()
        else:
            self._ending.heed_signals(self._attendant.before_end)
            self._attendant.serving()

    def _recover(self) -> None:
        """Find the frames of an earlier agent, before a call is answered; raises OSError."""
        used = load(self._settings.runner.snapshots_path)
        recovery = Recovery(
            self._site,
            self._roster,
            reactor=self._reactor,
            groups=self._groups,
            parse=spec_of,
            used=used.get,
            contained=self._contained,
        )
        recovery.run()
        if self._containers is not None:
            self._containers.start()
        for frame in self._roster.all():
            self._sampler.know(frame.key, frame.usage)
            self._gpu_usage.know(frame.key, frame.usage.max_gpu)

    def _make_blanks(self) -> None:
        """A disk that takes none is in trouble, and says so itself."""
        self._disk.write(self._blanks.fill).addErrback(lambda failure: None)

    def _announce(self, measured: Deferred[None], looked: Deferred[None]) -> None:
        """Wait a moment for the size of the temp storage: without it Cuebot sends us to repair.

        And for the GPUs, where there is a driver.
        """
        waits = [
            within(measured, TEMP_PATIENCE, reactor=self._reactor),
            within(looked, GPU_PATIENCE, reactor=self._reactor).addErrback(self._gpus_are_late),
        ]
        DeferredList(waits, consumeErrors=True).addCallback(lambda _: self._sending.start())

    def _gpus_are_late(self, _: object) -> None:
        self.log.warn(
            "the GPU driver did not answer within {seconds:.0f} s: Cuebot is told of no GPUs, or"
            " too few, until the agent is started anew",
            seconds=GPU_PATIENCE,
        )

    async def stop(self) -> None:
        """Take no calls, send no reports, let go of the frames: they go on."""
        frames = len(self._roster.all())
        self.log.info("stopping, frames go on frames={frames}", frames=frames, host_event="stop")
        self._bridge.stop()
        await self._server.stop()
        await self._sending.stop()
        await self._room.stop()
        self._sampling.stop()
        self._housekeeping.stop()
        self._gpus.stop()
        self._high_water.keep()
        self._roster.leave()
        await self._berths.stop()
        if self._containers is not None:
            self._containers.stop()
        self._supervisors.stop()
        self._clearing.flush()
        self._disk.run(self._blanks.clear).addErrback(lambda failure: None)
        await self._workers.stop(DISK_PATIENCE)
        self._wakeups.stop()
        if self._groups is not None:
            self._groups.close()
        self.log.info("stopped")

    # -- what needs several parts ----------------------------------------------------------------

    def _measure(self) -> Deferred[Mapping[str, FrameUsage]]:
        running = self._roster.running()
        if not running:  # no file is read then, so an idle agent needs to wake no worker
            return succeed(measure(self._sampler, running))
        return self._workers.run_for("sampling", measure, self._sampler, running)

    def _sampled(self, usages: Mapping[str, FrameUsage]) -> None:
        self._roster.sampled(self._gpu_usage.add(usages, self._gpus.by_pid))
        self._oom_kills.look()
        self._protection.look()
        self._high_water.look()
        if self._attendant is not None:
            self._attendant.look()

    # -- what changes while it runs --------------------------------------------------------------

    def _reread(self) -> None:
        """SIGHUP."""
        if self._rereading is None:
            self._rereading = self._make_rereading()
        self._rereading.begin()

    def _make_rereading(self) -> Rereading:

        from rqd import rereading

        attendant = self._attendant
        return rereading.Rereading(
            self._settings,
            read=partial(self._workers.run_for, "configuration", self._load),
            effects={
                "logging.level": lambda settings: set_threshold(settings.logging.level),
                "grpc.cuebot_endpoints": self._turn_to_cuebots,
                "machine.monitor_interval": self._pace,
                "machine.memory_oom_margin_percentage": self._protect,
                **dict.fromkeys(LIVE_TERMS, self._come_to_terms),
            },
            begins=attendant.reloading if attendant else lambda: None,
            ended=attendant.reloaded if attendant else lambda trouble: None,
        )

    def _turn_to_cuebots(self, settings: Settings) -> None:
        self._sending.turn_to(settings.grpc.cuebot_endpoints)

    def _pace(self, settings: Settings) -> None:
        interval = settings.machine.monitor_interval
        self._sending.pace(interval)
        self._sampling.pace(interval)
        self._gpus.pace(interval)

    def _protect(self, settings: Settings) -> None:
        self._protection.margin = settings.machine.memory_oom_margin_percentage

    def _come_to_terms(self, settings: Settings) -> None:
        """For frames that start from now on."""
        self._site = self._site._replace(terms=self._terms(settings))

    # -- what rooms ask of each other ------------------------------------------------------------

    def _fetch(self, keys: Sequence[str]) -> Deferred[Sequence[bytes | Exception]]:
        """Read completions back from their records."""
        paths = [self._records.files(key).record for key in keys]
        return self._workers.run_for(STATE, reports, paths)

    def _settled(self, key: str) -> None:
        self._roster.settled(key)

    def _launch(self, spec: FrameSpec) -> Deferred[Frame]:
        self._loki_notice.heed(spec)
        runner = self._settings.runner
        if runner.run_as_user:
            return Deferred.fromCoroutine(self._launch_as_user(spec))
        nobody = Identity(runner.default_uid, runner.default_gid, ())
        identity = nobody if runner.run_on_docker else None
        return self._roster.launch(spec, identity, self._site_of_launches())

    def _site_of_launches(self) -> Site:
        """Frames that an earlier agent started go on where they are; new ones as configured."""
        if not self._settings.runner.run_on_docker:
            return self._site
        from rqd.containers.frame import ContainedFrame

        assert self._containers is not None
        return self._site._replace(berths=self._containers, live_as=ContainedFrame)

    async def _launch_as_user(self, spec: FrameSpec) -> Frame:
        """Names are resolved off the reactor, and first: root is refused, not reported later."""
        runner = self._settings.runner
        self._roster.expect(spec.frame_id)
        found = self._workers.run_for(
            "names", resolve, spec, runner.default_uid, runner.default_gid
        )
        try:
            identity = await found.addTimeout(NAMES_PATIENCE, self._reactor, names_are_slow)
        finally:
            self._roster.expect_no_more(spec.frame_id)
        return await self._roster.launch(spec, identity, self._site_of_launches())

    async def _deliver(self) -> None:
        """Before a departure: let Cuebot hear of it, and of every frame that has ended."""
        told = within(self._sending.told(), TELLING_PATIENCE, reactor=self._reactor)
        told.addErrback(lambda failure: failure.trap(TooLate) and None)
        delivered = await self._sending.outbox.drain(DELIVERY_PATIENCE)
        await told
        if not delivered:
            self.log.warn("leaving with undelivered completions, they stay on disk")

    def _withheld(self) -> str:
        """Why the host does less than it could, for people."""
        away = self._containers.away if self._containers is not None else ""
        return "; ".join(filter(None, (self._withholding.reason, away)))

    def _tell_cuebot(self) -> None:
        """The host's standing, or what is withheld, has changed."""
        self._sending.changed()

    def _has_room(self) -> bool:
        try:
            return has_room(self._host.sample(), self._ledger.counts())
        except (OSError, ValueError):
            self.log.failure("host can't be read, so it stays locked for its user")
            return False


# -- small translations between rooms ------------------------------------------------------------


def facts_of(frame: Frame) -> FrameFacts:
    """A frame as the reports tell of it."""
    return FrameFacts(frame.spec, frame.started_at, frame.usage, frame.last_output)


def spec_of(request: bytes) -> FrameSpec:
    """A launch request as it was kept; raises ValueError or InvalidRequest."""
    from google.protobuf.message import DecodeError

    from rqd.proto.rqd_pb2 import RunFrame

    try:
        return parse(RunFrame.FromString(request))
    except DecodeError:
        raise ValueError("its request can't be decoded") from None


def ledger(machine: MachineSettings, processors: UsableProcessors) -> Ledger:
    """Offer what is reported, and pin frames to processors that this process may use."""
    return Ledger(processors.pinnable, total=host_shape(machine, processors).total_points)


def affinity(membership: str) -> Set[int]:
    """The processors that the agent may use, and frames in their control group, too."""
    own = os.sched_getaffinity(0)
    theirs = allowed_processors(enclosing_groups("cpuset", membership=membership))
    return own & theirs if theirs is not None and own & theirs else own


def measure(sampler: Sampler, running: Mapping[str, IMembers]) -> Mapping[str, FrameUsage]:
    """In a worker: one pass over all processes for all frames, and the words for the reports."""
    from rqd.report.statistics import statistics

    usages = sampler.tick({key: members.membership() for key, members in running.items()})
    for usage in usages.values():
        statistics(usage)
    return usages


def terms(settings: Settings, umask: int, descriptors: int) -> Terms:
    """How frames run here."""
    runner = settings.runner
    return Terms(
        shell=runner.shell_path,
        folder=runner.temp_path,
        umask=umask,
        descriptors=descriptors,
        nice=runner.desktop_mode,
        timestamps=runner.prepend_timestamp,
        grace=Grace(
            timeout=runner.kill_monitor_timeout,
            interval=runner.kill_monitor_interval,
            force=runner.force_kill_after_timeout,
            limit=min(UNKILLABLE, max(1.0, runner.kill_monitor_timeout)),
        ),
        scan_lines=runner.log_scan_last_lines,
        rules=tuple(
            ExitStatusRule.of(rule.name, rule.regex, rule.exit_status)
            for rule in runner.log_exit_status_rules
        ),
    )


def frame_surroundings(
    settings: Settings, name: str, free_gpu_memory: Callable[[], int]
) -> HostEnvironment:
    """What every frame's environment has of this host."""
    runner = settings.runner
    environment = host_environment(
        name,
        os.environ,
        use_path=runner.use_host_path_env_var,
        use_all=runner.use_all_host_env_vars,
        names=runner.host_env_vars,
    )
    return environment._replace(
        free_gpu_memory=free_gpu_memory,
        gpu_name={"index": by_index, "uuid": by_uuid}[runner.gpu_names],
    )


def tree_name(state: str) -> str:
    """The name of the agent's cgroup tree; each agent of a host (tests run several) has its own."""
    return f"openrqd-{crc32(os.path.realpath(state).encode()):08x}"


def names_are_slow(_: object, seconds: float) -> Identity:
    raise Unavailable(f"the user database did not answer within {seconds:.0f} s")
