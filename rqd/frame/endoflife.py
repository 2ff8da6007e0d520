"""From a running frame to the end that is reported: kills, proof of death, judgement."""

from __future__ import annotations

import signal

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rqd.background import background
from rqd.frame import texts
from rqd.frame.exits import OUT_OF_MEMORY, Exit, from_wait, read_chain
from rqd.frame.ladder import Grace, Ladder
from rqd.frame.launch import Launch
from rqd.frame.patience import TooLate, within
from rqd.frame.phases import END_PATIENCE, CouldNotStart, Kill, Phase, no_longer
from rqd.frame.places import IPlace
from rqd.logging.rules import apply
from rqd.system.oomkills import WINDOW


class EndOfLife(Launch):
    """What becomes of a frame that was started."""

    async def _follow(self, running: Deferred[int]) -> Exit:
        """From the start to the exit as it is reported; raises CouldNotStart."""
        assert self.members is not None
        self.phase = Phase.RUNNING
        self.log.info(
            "frame started frame_id={frame_id} name={name} pid={pid} cores={cores}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            name=self.spec.name,
            pid=self.members.supervisor,
            cores=self.spec.num_cores,
        )
        self.output.follow()
        ended = self._unless_by_kernel(from_wait(await running))
        self.phase = Phase.ENDING
        await self._prove_end()
        return await self._judged(ended) if ended.failed else ended

    def _unless_by_kernel(self, ended: Exit) -> Exit:
        """What the kernel ended for want of memory is told so. Asked while the group is there."""
        if self._kill is not None or not self._is_oom_kill(ended):
            return ended
        self._remarks += (texts.killed_by_kernel(self),)
        self.log.warn("{remark} frame_id={id}", remark=self._remarks[-1], id=self.spec.frame_id)
        return ended._replace(signal=OUT_OF_MEMORY)

    def _is_oom_kill(self, ended: Exit) -> bool:
        assert self.members is not None
        if ended.failed and self.members.oom_kills():
            return True
        if ended.signal != signal.SIGKILL:
            return False
        return self._site.oom_kills.stepped(min(WINDOW, self.run_time))

    def end_what_is_left(self) -> None:
        """The frame is over: what it left behind is ended, and nobody waits for that."""
        if self.members is not None and self.members.pids():
            self._swept = True
            background(self._sweep(), self.log, "leftovers frame_id=" + self.spec.frame_id)

    async def _prove_end(self) -> None:
        """What was killed is over once it is proved to be dead. For others nobody waits."""
        if self._kill is None:
            return
        await deferLater(self._site.reactor, 0, lambda: None)  # many may have ended in this turn
        assert self.berth is not None and self.members is not None
        if self.berth.group is None:  # there, a look may miss what forks all the time; KILL doesn't
            await self._end_is_written()
            self.members.kill()
            self._swept = True
        if not await self._sweep():
            remark = texts.UNKILLABLE.format(self._site.withholding.processes(self.key))
            self._remarks += (remark,)

    async def _end_is_written(self) -> None:
        """What ends the supervisor would keep the frame's end from a later agent."""
        assert self.berth is not None
        written = self.berth.supervisor.when_written()
        await within(written, END_PATIENCE, reactor=self._site.reactor).addErrback(no_longer)

    async def _sweep(self) -> bool:
        """End what is left; what can't be killed keeps the berth, and cores that are still held."""
        assert self.berth is not None and self.members is not None
        berth = self.berth
        self._swept = self._swept or bool(self.members.pids())
        await self._end_is_written()
        dead = await self._ladder().sweep()
        if not dead:
            self._site.withholding.hold(self.key, self.spec.name, self.members)
        if self._swept:
            gone = self._site.withholding.gone(self.key)
            gone.addCallback(lambda _: self._discard(berth))
        return dead

    def _discard(self, berth: IPlace) -> None:
        self._site.berths.discard(berth)

    def _leave_berth(self) -> None:
        """Let others have the berth, if it is as good as new; if not, it goes with the frame."""
        if self.berth is None or self._swept:
            return
        if self.berth.supervisor.running and self.kept:
            berth, self.berth = self.berth, None
            self._site.berths.give_back(berth)
        else:
            self._site.berths.discard(self.berth)

    async def _judged(self, ended: Exit) -> Exit:
        """What a failure is reported as: the agent's doing, a start that failed, or by a rule.

        Where its account can't be read the frame is taken to have started, as nearly all do.
        """
        if self._kill is not None:
            return self._by_agent(ended)
        assert self.berth is not None
        reading = self._site.disk.run(self.berth.read_chain)
        try:
            account = read_chain(await self._site.disk.soon(reading, END_PATIENCE))
        except (OSError, TooLate):
            reading.addErrback(no_longer)
            return await self._ruled(ended)
        if not account.started:
            raise CouldNotStart(account.said or "the command's shell never took over")
        return await self._ruled(ended)

    def _by_agent(self, ended: Exit) -> Exit:
        """The end of a frame that was killed: with what the kill puts in its place."""
        kill = self._kill
        assert kill is not None
        return Exit(
            ended.status if kill.status is None else kill.status,
            ended.signal if kill.signal is None else kill.signal,
        )

    async def _ruled(self, ended: Exit) -> Exit:
        """Apply the exit-status rules; a log that hangs is not waited for."""
        terms = self._site.terms
        if not terms.rules or not ended.status:
            return ended
        tail = Deferred.fromCoroutine(self.output.tail(terms.scan_lines))
        try:
            output = await self._site.disk.soon(tail, END_PATIENCE)
        except (OSError, TooLate) as problem:
            tail.addErrback(no_longer)
            self.log.error(
                "exit-status rules are not applied frame_id={frame_id} reason={reason}",
                frame_id=self.spec.frame_id,
                reason=problem,
            )
            return ended
        match = await self._site.workers.run_for("rules", apply, terms.rules, output, ended.status)
        if match is None:
            return ended
        self._remarks += (
            f"exit status {ended.status} became {match.exit_status} by rule {match.rule.name!r}",
        )
        return ended._replace(status=match.exit_status)

    def kill(self, kill: Kill) -> None:
        """End the frame. The first reason counts; more kills of a dying frame are normal.

        They have an effect again where the ladder has been climbed in vain.
        """
        if self._climbing or self.phase not in (Phase.ACCEPTED, Phase.RUNNING):
            return
        self.log.info(
            "killing frame frame_id={frame_id} reason={reason}",
            frame_id=self.spec.frame_id,
            job=self.spec.job_name,
            reason=kill.reason,
        )
        if self.members is not None and self._kill is None:
            self._note(kill)
        self._kill = self._kill or kill
        if self.members is not None:
            background(self._climb(), self.log, "kill frame_id=" + self.spec.frame_id)

    async def _climb(self) -> None:
        assert self.berth is not None
        self._climbing = True
        try:
            if not await self._ladder().climb():
                self.berth.supervisor.give_up()
        finally:
            self._climbing = False

    def _ladder(self) -> Ladder:
        assert self.members is not None
        return Ladder(
            self.members,
            self._grace(),
            running=lambda: self.phase is Phase.RUNNING,
            frame_id=self.spec.frame_id,
            reactor=self._site.reactor,
        )

    def _grace(self) -> Grace:
        grace = self._site.terms.grace
        if self._kill is not None and self._kill.patience is not None:
            grace = grace.shortened(self._kill.patience)
        return grace
