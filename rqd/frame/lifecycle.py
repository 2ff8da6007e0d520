"""The life of one frame, from accepted to reported: read ``Frame.live`` from top to bottom.

::

    ACCEPTED ──▶ RUNNING ──▶ ENDING ──▶ ENDED
        └─ never started ──────▲

Everything here happens on the reactor; what blocks is awaited from workers. What the frame is and
has on disk is in ``kept``, its start in ``launch``, its end in ``endoflife``.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from rqd.frame import texts
from rqd.frame.endoflife import EndOfLife
from rqd.frame.exits import COULD_NOT_START, Exit, FrameEnd
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import ASKED_TO_END, END_PATIENCE, CouldNotStart, NotTaken, NotWanted, Phase
from rqd.frame.remains import Remains


class Frame(EndOfLife):
    """One launch of one frame (see ``Kept`` for what is known of it)."""

    async def live(self) -> bytes:
        """Run the frame to its end and return its completion report.

        It is on disk by then, unless that is in trouble (``kept``). Raises NotTaken.
        """
        try:
            ended = await self._run()
        except CouldNotStart as problem:
            self.explanation = str(problem)
            self.log.error(
                "frame could not be started frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                job=self.spec.job_name,
                reason=self.explanation,
            )
            ended = Exit(COULD_NOT_START) if self._kill is None else self._by_agent(ASKED_TO_END)
        except NotWanted:
            ended = self._by_agent(ASKED_TO_END)
        except NotTaken as problem:
            self._withdraw(str(problem))
            raise
        finally:
            if not self._site.withholding.holds(self.key):
                self._site.ledger.release(self.key)
            if not self.recorded.called:
                self.recorded.callback(None)  # who launched it hears of its end
        return await self._finish(ended)

    async def _run(self) -> Exit:
        """From the start to the exit as it is reported.

        Raises CouldNotStart, NotTaken or NotWanted.
        """
        return await self._follow(await self._start())

    async def come_to_rest(self) -> Remains:
        """What is left to do once the report is on its way, until the log, at last, is whole.

        And until nobody has to withhold any more what the frame held.
        """
        if self._ended is not None:
            self._say_end(self._ended)
        if self._kill is None and not self._swept:
            self.end_what_is_left()  # not before: the report would have to wait for the look
        self._leave_berth()
        if self._log_whole is not None:
            await self._log_whole
        self.output.forget()
        await self._site.withholding.gone(self.key)
        await self._written()
        chain = "" if self.berth is None else self.berth.chain
        return Remains(self._site.records, self.key, self._files.script, chain)

    async def _forget(self) -> None:
        """There is nothing to tell."""
        self._site.clearing.add(await self.come_to_rest())

    async def _finish(self, ended: Exit) -> bytes:
        """Footer and report; the report waits only so long for a log that hangs."""
        ended_at, run_time = self._end()
        end = FrameEnd(
            exit_status=ended.status,
            exit_signal=ended.signal,
            ended_at=ended_at,
            run_time=run_time,
            reason=self._kill.reason if self._kill else self.explanation,
        )
        beside = self._site.frames() if ended.failed else ()
        footer = texts.footer_of(self, end, self._remarks, beside)
        self._log_whole = self.output.close(footer)  # first, as it takes longest
        began = self._site.reactor.seconds()
        report = self._site.compose(self, end)
        await self._keep(report, footer)
        if not self._log_whole.called:
            await self._logged(self._log_whole, began + END_PATIENCE)
        self.phase = Phase.ENDED
        self._ended = end
        return report

    async def _logged(self, log_whole: Deferred[None], until: float) -> None:
        """Wait for the log until a moment of the reactor's time."""
        reactor = self._site.reactor
        try:
            await within(log_whole, max(0.0, until - reactor.seconds()), reactor=reactor)
        except TooLate:
            self.output.late()

    def _say_end(self, end: FrameEnd) -> None:
        self.log.info(
            "frame ended frame_id={frame_id} name={name} exit_status={status} exit_signal={signal}"
            " run_time={seconds:.3f}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            name=self.spec.name,
            status=end.exit_status,
            signal=end.exit_signal,
            seconds=end.run_time,
        )
