"""The frames of this host: who may start, who runs, who waits to be acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rqd.background import background
from rqd.frame.admission import refuse_by
from rqd.frame.clearing import Clearing
from rqd.frame.exits import COULD_NOT_START, NIMBY_LOCKED, FrameEnd
from rqd.frame.lifecycle import Frame
from rqd.frame.members import IMembers
from rqd.frame.phases import Kill, NotTaken, Phase
from rqd.frame.records import new_key
from rqd.frame.remains import AllButRecord, Remains
from rqd.frame.spec import FrameSpec
from rqd.frame.statedisk import StateDisk
from rqd.frame.users import Identity
from rqd.log import Logger
from rqd.logging.mounts import WorkersStopped
from rqd.refusals import AlreadyRunning, UnknownFrame, WrongState
from rqd.system.condition import HostCondition
from rqd.system.reservations import Ledger
from rqd.system.usage import FrameUsage

if TYPE_CHECKING:
    from rqd.frame.adopted import AdoptedFrame
    from rqd.frame.site import Site

#: How many frames may wait for Cuebot with all their files.
WHOLE = 64
#: How long a frame is left alone once its report is on its way, seconds: what is left to do would
#: keep the report's own thread from the processor.
REST = 0.005


class Roster:
    """All frames between their launch and their end, by frame id.

    ``post`` takes the completion of an ended frame, by key, and whether it is on disk (None for one
    that is only there); ``settled`` is called back with the key once Cuebot has it. ``condition``
    is that of the host, which may keep frames from it.
    """

    log = Logger()

    def __init__(
        self,
        *,
        ledger: Ledger,
        post: Callable[[str, bytes | None, bool], None],
        condition: Callable[[], HostCondition],
        clearing: Clearing,
        disk: StateDisk,
        reactor: IReactorTime,
    ) -> None:
        self._ledger = ledger
        self._post = post
        self._condition = condition
        self._clearing = clearing
        self._disk = disk
        self._reactor = reactor
        self._frames: dict[str, Frame] = {}
        self._expected: dict[str, str | None] = {}
        self._unsettled: dict[str, Remains | None] = {}
        """Of each frame that is over and that Cuebot does not know to be; None until it rests."""
        self._over: dict[Frame, IDelayedCall] = {}
        """Those whose reports have just been posted, until they are seen to."""
        self._empty: list[Deferred[None]] = []

    # -- asking --------------------------------------------------------------------------------

    def all(self) -> list[Frame]:
        """Return the frames that run here, or are about to."""
        return list(self._frames.values())

    def keys(self) -> set[str]:
        """Return the keys of all frames that Cuebot does not know to be over."""
        return {frame.key for frame in self._frames.values()} | self._unsettled.keys()

    def get(self, frame_id: str) -> Frame:
        """Return a frame; raises UnknownFrame."""
        try:
            return self._frames[frame_id]
        except KeyError:
            raise UnknownFrame(f"frame {frame_id!r} doesn't run here") from None

    def when_empty(self) -> Deferred[None]:
        """Fire once no frame is left."""
        waiting: Deferred[None] = Deferred()
        self._empty.append(waiting)
        self._check_empty()
        return waiting

    # -- changing ------------------------------------------------------------------------------

    def expect(self, frame_id: str) -> None:
        """A launch is on its way, and takes a while: a kill that comes meanwhile ends it."""
        self._refuse_known(frame_id)
        self._expected[frame_id] = None

    def expect_no_more(self, frame_id: str) -> None:
        """The launch is there, or was refused; raises WrongState if it was killed meanwhile."""
        reason = self._expected.pop(frame_id)
        if reason is not None:
            raise WrongState(f"frame {frame_id!r} was killed before it could start: {reason}")

    def launch(self, spec: FrameSpec, identity: Identity | None, site: Site) -> Deferred[Frame]:
        """Reserve what a frame needs and let it live; fires once it is on disk.

        Raises Refused, or fails with it, and then nothing has changed.
        """
        refuse_by(self._condition(), spec)
        self._refuse_known(spec.frame_id)
        self._disk.admit()
        key = new_key(spec.frame_id)
        reservation = self._ledger.reserve(
            key, spec.num_cores, pin=spec.threadable, gpus=spec.num_gpus
        )
        frame = (site.live_as or Frame)(spec, key, reservation, identity, site)
        self._frames[spec.frame_id] = frame
        background(self._live(frame, site), self.log, f"frame_id={spec.frame_id}")
        # Not its own Deferred: a frame that held itself would have to be collected.
        launched: Deferred[Frame] = Deferred()
        frame.recorded.addCallbacks(lambda _: launched.callback(frame), launched.errback)
        return launched

    def adopt(self, frame: AdoptedFrame, site: Site) -> None:
        """Go on with a frame that runs already; raises AlreadyRunning, having changed nothing."""
        self._refuse_known(frame.spec.frame_id)
        self._ledger.adopt(frame.key, frame.reservation)
        self._frames[frame.spec.frame_id] = frame
        background(self._live(frame, site), self.log, f"frame_id={frame.spec.frame_id}")

    def owe(self, key: str) -> None:
        """Send a report again that an earlier agent may have sent; the frame ``rests`` later."""
        self._unsettled[key] = None
        self._post(key, None, True)

    def conclude(self, frames: Sequence[AdoptedFrame], site: Site) -> None:
        """Report frames that ended while no agent was there, in this order.

        Those that were killed, and of which something lives, hold their cores until it is dead.
        """
        for frame in frames:
            if frame.dying and frame.members is not None and frame.members.pids():
                self._ledger.adopt(frame.key, frame.reservation)
        lives = [Deferred.fromCoroutine(self._life(frame, site)) for frame in frames]
        background(self._post_in_order(frames, lives), self.log, "frames of an earlier agent")

    async def _post_in_order(
        self, frames: Sequence[AdoptedFrame], lives: Sequence[Deferred[bytes]]
    ) -> None:
        for frame, life in zip(frames, lives, strict=True):
            try:
                self._is_over(frame, await life)
            except WorkersStopped:
                continue

    def _refuse_known(self, frame_id: str) -> None:
        if frame_id in self._frames or frame_id in self._expected:
            raise AlreadyRunning(f"frame {frame_id!r} runs here already")

    def kill(self, frame_id: str, reason: str) -> None:
        """End a frame, also one that is only about to start; raises UnknownFrame."""
        if frame_id in self._expected:
            self._expected[frame_id] = reason
        else:
            self.get(frame_id).kill(Kill(reason))

    def kill_all(self, reason: str) -> None:
        self._kill_each(self.all(), Kill(reason))

    def yield_to_user(self, reason: str) -> None:
        """NIMBY: the host belongs to its user now, and only frames that ignore that go on."""
        frames = [frame for frame in self.all() if not frame.spec.ignore_nimby]
        self._kill_each(frames, Kill(reason, NIMBY_LOCKED))

    def _kill_each(self, frames: list[Frame], kill: Kill) -> None:
        """One a turn of the reactor: each may mean a look at all processes of the host.

        Calls, and the report that tells why, need not wait for the last one.
        """
        if frames:
            frames.pop(0).kill(kill)
            self._reactor.callLater(0, self._kill_each, frames, kill)

    def settled(self, key: str) -> None:
        """Cuebot has the completion of a frame: its record may go, once it rests."""
        remains = self._unsettled.pop(key, None)
        if remains is not None:
            self._clear(key, remains)

    def rests(self, key: str, remains: Remains) -> None:
        """Nothing is added any more to what is on disk of a frame that is over."""
        if key in self._unsettled:
            self._unsettled[key] = remains
        else:
            self._clear(key, remains)

    def _clear(self, key: str, remains: Remains) -> None:
        """What its record still lacks, nobody needs any more."""
        dropped = self._disk.unkept.drop(key)
        dropped.addCallback(lambda _: self._clearing.add(remains))

    def leave(self) -> None:
        """The agent stops and the frames go on: let go of their logs, and see to what is over."""
        for frame, call in list(self._over.items()):
            call.cancel()
            self._leave(frame)
        for frame in self.all():
            frame.output.leave()

    # -- sampling ------------------------------------------------------------------------------

    def running(self) -> dict[str, IMembers]:
        """Return the members of each running frame, by key."""
        return {
            frame.key: frame.members
            for frame in self._frames.values()
            if frame.phase is Phase.RUNNING and frame.members is not None
        }

    def sampled(self, usages: Mapping[str, FrameUsage]) -> None:
        """Hand each frame its newest statistics; a missing sample means nothing."""
        for frame in self._frames.values():
            if usage := usages.get(frame.key):
                frame.sampled(usage)

    # -- living --------------------------------------------------------------------------------

    async def _live(self, frame: Frame, site: Site) -> None:
        try:
            report = await self._life(frame, site)
        except WorkersStopped:
            return
        except NotTaken:
            del self._frames[frame.spec.frame_id]
        else:
            del self._frames[frame.spec.frame_id]
            self._is_over(frame, report)
        self._check_empty()

    async def _life(self, frame: Frame, site: Site) -> bytes:
        """Let a frame live; return its report. Raises NotTaken.

        Raises WorkersStopped where the agent goes before the frame: then that is the next one's.
        """
        try:
            return await frame.live()
        except (NotTaken, WorkersStopped):
            raise
        except Exception:  # whatever went wrong, Cuebot must hear of an end
            self.log.failure("frame failed frame_id={frame_id}", frame_id=frame.spec.frame_id)
            frame.explanation = "internal error, see the agent's log"
            frame.phase = Phase.ENDED
            frame.end_what_is_left()
            frame.kept = False  # whatever is on disk, it is not this
            end = FrameEnd(COULD_NOT_START, 0, site.time(), 0.0, frame.explanation)
            return site.compose(frame, end)

    def _is_over(self, frame: Frame, report: bytes) -> None:
        self._unsettled[frame.key] = None
        self._post(frame.key, report, frame.kept)
        self._over[frame] = self._reactor.callLater(REST, self._leave, frame)

    def _leave(self, frame: Frame) -> None:
        del self._over[frame]
        background(self._come_to_rest(frame), self.log, f"end of frame_id={frame.spec.frame_id}")

    async def _come_to_rest(self, frame: Frame) -> None:
        """Of many that wait, no more than the record is left: a restart has less to look at."""
        remains = await frame.come_to_rest()
        if frame.kept and len(self._unsettled) > WHOLE and frame.key in self._unsettled:
            self._clearing.add(AllButRecord(remains))
        self.rests(frame.key, remains)

    def _check_empty(self) -> None:
        if not self._frames:
            waiting, self._empty = self._empty, []
            for deferred in waiting:
                deferred.callback(None)
