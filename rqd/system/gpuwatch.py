"""The GPUs of this host as they were last seen: which work, what they have left, who uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rqd.log import Logger
from rqd.system.gpus import NO_GPUS, Gpu, GpuSample, GpuTotals, GpuTrouble, IGpuDriver, NoDriver

T = TypeVar("T")

#: How long a driver may take to answer, seconds. Without its persistence daemon a healthy one
#: takes some seconds the first time.
PATIENCE = 10.0
#: Who looks whether there is a driver: threads that are there anyway, so that a host without one
#: gets none for it.
FINDER = "sampling"
#: Who opens the driver and counts devices. Each device has a thread of its own besides: one that
#: hangs takes only that with it.
COUNTER = "gpus"


class RunsFor(Protocol):
    """``IWorkers.run_for``."""

    def __call__(self, purpose: str, function: Callable[..., T], *args: object) -> Deferred[T]: ...


class GpuWatch:
    """Looks at all GPUs at an interval; on the reactor, where nothing waits for the driver.

    ``offer`` is given the GPUs that work, in the order of their indexes, after each look. A GPU
    that fails, hangs or has vanished is not among them; the agent's log says so once, and once
    more when it is back. A call that hangs is not repeated before it has returned.
    """

    log = Logger()

    def __init__(
        self,
        driver: IGpuDriver,
        *,
        reactor: IReactorTime,
        run_for: RunsFor,
        interval: float,
        offer: Callable[[Sequence[Gpu]], None],
    ) -> None:
        self._driver = driver
        self._reactor = reactor
        self._run_for = run_for
        self._interval = interval
        self._offer = offer
        self._unanswered: set[str] = set()
        self._known: dict[str, Gpu] = {}
        self._troubles: dict[str, str] = {}
        self._stopped = False
        self._loop = LoopingCall(self._look_again)
        self._loop.clock = reactor
        self.totals = NO_GPUS
        self.by_pid: Mapping[int, int] = {}
        """GPU memory of each process that has any, KiB, over all GPUs that work."""

    def start(self) -> Deferred[None]:
        """Look for the first time, and then at the interval; fires, never fails, after the first.

        That may take a multiple of ``PATIENCE`` where the driver hangs. Without a driver nothing
        more is done.
        """
        return Deferred.fromCoroutine(self._begin())

    def stop(self) -> None:
        self._stopped = True
        if self._loop.running:
            self._loop.stop()

    def pace(self, interval: float) -> None:
        """Another interval, seconds, from the next look on."""
        self._interval = self._loop.interval = interval

    async def _begin(self) -> None:
        try:
            await self._ask(FINDER, self._driver.find)
        except (NoDriver, GpuTrouble) as problem:
            self.log.info("GPUs are not looked for: {reason}", reason=problem)
            return
        await self._look()
        if not self._stopped:
            self._loop.start(self._interval, now=False)

    def _look_again(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look())

    async def _look(self) -> None:
        try:
            count = await self._ask(COUNTER, self._driver.count)
        except GpuTrouble as problem:
            self._settle([], dict.fromkeys(self._known, str(problem)) or {"(all)": str(problem)})
            await self._let_go()
            return
        looks = [Deferred.fromCoroutine(self._look_at(index)) for index in range(count)]
        readings = await gatherResults(looks)
        samples = [each for each in readings if isinstance(each, GpuSample)]
        self._remember(samples)
        self._settle(samples, self._what_is_wrong(readings))

    async def _look_at(self, index: int) -> GpuSample | str:
        """The device, or what is wrong with it."""
        try:
            sample: GpuSample = await self._ask(f"gpu {index}", self._driver.read, index)
        except GpuTrouble as problem:
            return str(problem)
        return sample

    async def _let_go(self) -> None:
        """Begin anew with the driver next time, unless a call is still in there."""
        if not self._unanswered:
            try:
                await self._ask(COUNTER, self._driver.reset)
            except GpuTrouble as problem:
                self.log.debug("GPU driver can't be let go: {reason}", reason=problem)

    def _remember(self, samples: Sequence[GpuSample]) -> None:
        for sample in samples:
            uuid, index = sample.gpu.uuid, sample.gpu.index
            if uuid not in self._known:
                self.log.info(
                    "GPU found uuid={uuid} index={index} memory={kib} KiB",
                    uuid=uuid,
                    index=index,
                    kib=sample.total,
                )
            self._known[uuid] = sample.gpu

    # -- what was seen -------------------------------------------------------------------------

    def _what_is_wrong(self, readings: Sequence[GpuSample | str]) -> dict[str, str]:
        """What is wrong with each GPU that doesn't work, by its UUID if that is known."""
        missing = dict(self._known)
        for reading in readings:
            if isinstance(reading, GpuSample):
                del missing[reading.gpu.uuid]
        at = {gpu.index: uuid for uuid, gpu in missing.items()}
        wrong = dict.fromkeys(missing, "it has vanished")
        for index, reading in enumerate(readings):
            if isinstance(reading, str):
                wrong[at.get(index, f"at index {index}")] = reading
        return wrong

    def _settle(self, samples: Sequence[GpuSample], troubles: dict[str, str]) -> None:
        by_pid: Counter[int] = Counter()
        for sample in samples:
            by_pid.update(sample.processes)
        self.by_pid = by_pid
        self.totals = GpuTotals(
            len(samples), sum(each.total for each in samples), sum(each.free for each in samples)
        )
        self._tell(troubles)
        self._offer([sample.gpu for sample in samples])

    def _tell(self, troubles: dict[str, str]) -> None:
        """Log each change, once."""
        for gpu, reason in troubles.items():
            if gpu not in self._troubles:
                self.log.error("GPU is not given out gpu={gpu} reason={why}", gpu=gpu, why=reason)
        for gpu in self._troubles:
            if gpu not in troubles:
                self.log.info("GPU works again gpu={gpu}", gpu=gpu)
        self._troubles = troubles

    # -- asking --------------------------------------------------------------------------------

    def _ask(self, purpose: str, function: Callable[..., Any], *args: object) -> Deferred[Any]:
        """Call the driver in a worker; fails with NoDriver, or GpuTrouble for whatever else."""
        if purpose in self._unanswered:
            return fail(GpuTrouble("it still does not answer"))
        self._unanswered.add(purpose)
        answer: Deferred[Any] = Deferred()

        def arrived(result: Any) -> None:
            self._unanswered.discard(purpose)
            if not answer.called:
                answer.callback(result)

        self._run_for(purpose, function, *args).addBoth(arrived)
        return answer.addTimeout(PATIENCE, self._reactor, _silent).addErrback(_as_trouble)


def _silent(_: object, seconds: float) -> NoReturn:
    raise GpuTrouble(f"it does not answer within {seconds:.0f} s")


def _as_trouble(failure: Failure) -> Failure:
    """Whatever goes wrong in a binding or a driver is a GPU that can't be used, and no more."""
    if failure.check(NoDriver, GpuTrouble):
        return failure
    return Failure(GpuTrouble(f"{type(failure.value).__name__}: {failure.value}"))
