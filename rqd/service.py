"""The composition root: the parts of the agent, how they hang together, when they start and stop.

Each room is put together by itself or in ``rqd.assembly``; here, and only here, they meet. Start
and stop happen in the order in which they are written down. Starting is synchronous: the reactor
doesn't run yet, and an agent that can't serve must say so at once. Stopping is bounded in time and
leaves frames running.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from rqd.assembly.frames import Frames
from rqd.assembly.ground import Ground, IAgentReactor
from rqd.assembly.machine import FirstLooks, Machine
from rqd.assembly.watch import Watch
from rqd.config import Loaded, Settings
from rqd.ending import Ending
from rqd.host.kept import KeptStanding
from rqd.host.room import HostRoom
from rqd.log import Logger
from rqd.report.messages import facts_of
from rqd.report.sending import Sending
from rqd.report.telling import Telling
from rqd.servant.bridge import ReactorBridge
from rqd.servant.frame_calls import FrameCalls, spec_of
from rqd.servant.host_calls import HostCalls
from rqd.servant.rqd_interface import register
from rqd.servant.server import GrpcServer
from rqd.system.oomscore import protect_agent

if TYPE_CHECKING:
    from rqd.rereading import Rereading
    from rqd.system.condition import HostCondition
    from rqd.systemd.attendant import Attendant

#: How long a call may take; Cuebot's own deadline is 10 s.
CALL_DEADLINE = 10.0


class Assembly:
    """The parts of a running agent, from ``start`` to ``stop``."""

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        *,
        reactor: IAgentReactor,
        umask: int,
        load: Callable[[], Loaded],
    ) -> None:
        self._load = load
        self._reactor = reactor
        self._ending = Ending(reactor=reactor)
        self._ground = Ground(settings, reactor=reactor)
        self._machine = Machine(self._ground)
        self._standing = KeptStanding(
            settings,
            self._machine.ledger,
            reactor=reactor,
            workers=self._ground.workers,
            tell=self._tell_cuebot,
        )
        self._assemble_reports()
        self._assemble_frames(umask)
        self._host = HostRoom(
            settings,
            self._standing,
            self._frames.roster,
            reactor=reactor,
            workers=self._ground.workers,
            processes=self._ground.processes,
            has_room=self._machine.has_room,
            deliver=self._sending.deliver,
            stop=self._ending.begin,
        )
        self._assemble_servant()
        self._attendant = self._make_attendant()
        self._rereading: Rereading | None = None

    # -- the rooms -----------------------------------------------------------------------------

    def _assemble_reports(self) -> None:
        """What Cuebot hears of the host and its frames."""
        self._telling = Telling(
            clock=self._reactor,
            sample=self._machine.host.sample,
            condition=self._condition,
            gpus=lambda: self._machine.gpus.totals,
            counts=self._machine.ledger.counts,
            frames=lambda: map(facts_of, self._frames.roster.all()),
            completions=lambda: self._sending.outbox.late,
        )
        self._sending = Sending(
            self._ground.settings,
            reactor=self._reactor,
            telling=self._telling,
            fetch=self._fetch,
            settled=self._settled,
        )

    def _condition(self) -> HostCondition:
        """What reports tell, completions too: nearly always the very same object."""
        withheld = self._frames.withheld()
        condition = self._standing.condition
        return condition._replace(withheld=withheld) if withheld else condition

    def _assemble_frames(self, umask: int) -> None:
        """The frames, and what is sampled of them."""
        self._frames = Frames(
            self._ground,
            self._machine,
            umask=umask,
            condition=lambda: self._standing.condition,
            post=self._sending.outbox.post,
            compose=lambda frame, end: self._telling.completion(facts_of(frame), end),
            changed=self._tell_cuebot,
        )
        self._watch = Watch(self._ground, self._machine, self._frames.roster, then=self._sampled)

    def _assemble_servant(self) -> None:
        """What answers calls."""
        settings = self._ground.settings
        self._bridge = ReactorBridge(reactor=self._reactor, deadline=CALL_DEADLINE)
        frames = FrameCalls(self._frames.roster, launch=self._frames.launch, facts=facts_of)
        host = HostCalls(
            self._standing, self._host.nimby, self._host.departures, report=self._telling.status
        )
        self._server = GrpcServer(
            reactor=self._reactor,
            interface=settings.grpc.rqd_interface.replace("all", ""),
            port=settings.grpc.rqd_port,
            worker_threads=settings.machine.worker_threads,
            register=[partial(register, self._bridge, frames, host)],
        )

    def _make_attendant(self) -> Attendant | None:
        """Where systemd runs the agent as a service that speaks to it, it says where it listens."""
        socket = os.environ.get("NOTIFY_SOCKET")
        if not socket:
            return None
        from rqd.assembly.attendance import attendant

        return attendant(
            socket,
            self._ground,
            self._machine.ledger,
            self._frames.roster,
            sending=self._sending,
            departures=self._host.departures,
        )

    def _make_rereading(self) -> Rereading:
        from rqd.assembly.effects import rereading

        return rereading(
            self._ground,
            self._load,
            machine=self._machine,
            sending=self._sending,
            frames=self._frames,
            watch=self._watch,
            attendant=self._attendant,
        )

    def _tell_cuebot(self) -> None:
        """The host's standing, or what is withheld, has changed."""
        self._sending.changed()

    def _sampled(self) -> None:
        """There are new statistics."""
        self._telling.renew()
        if self._attendant is not None:
            self._attendant.look()

    def _fetch(self, keys: Sequence[str]) -> Deferred[Sequence[bytes | Exception]]:
        return self._frames.fetch(keys)

    def _settled(self, key: str) -> None:
        self._frames.roster.settled(key)

    # -- start and stop ------------------------------------------------------------------------

    def start(self) -> None:
        """Serve, then tell Cuebot; raises OSError or CannotListen."""
        self._frames.prepare()
        protect_agent()
        self._standing.load()
        self._server.start()
        self._frames.recover(spec_of)
        looks = self._machine.start()
        self._watch.start()
        self._frames.start()
        self._ground.processor.settle()
        self._reactor.callWhenRunning(self._heed_signals)
        self._reactor.callWhenRunning(self._host.start)
        self._reactor.callWhenRunning(self._announce, looks)

    def _heed_signals(self) -> None:
        """The reactor runs, and calls are answered."""
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self._reread))
        if self._attendant is None:
            self._ending.heed_signals()
        else:
            self._ending.heed_signals(self._attendant.before_end)
            self._attendant.serving()

    def _announce(self, looks: FirstLooks) -> None:
        self._machine.known(looks).addCallback(lambda _: self._sending.start())

    def _reread(self) -> None:
        """SIGHUP."""
        if self._rereading is None:
            self._rereading = self._make_rereading()
        self._rereading.begin()

    async def stop(self) -> None:
        """Take no calls, send no reports, let go of the frames: they go on."""
        frames = len(self._frames.roster.all())
        self.log.info("stopping, frames go on frames={frames}", frames=frames, host_event="stop")
        self._bridge.stop()
        await self._server.stop()
        await self._sending.stop()
        await self._host.stop()
        self._watch.stop()
        self._machine.stop()
        await self._frames.stop()
        await self._ground.stop()
        self._frames.close()
        self.log.info("stopped")
