"""Frames whose end is told by their chain file alone: nobody here is their parent."""

from __future__ import annotations

import signal

from rqd.frame.endoflife import EndOfLife
from rqd.frame.exits import VANISHED, ChainReport, Exit, read_chain
from rqd.frame.phases import CouldNotStart, Phase

NEVER_STARTED = "the agent ended before it had started the frame"
GONE = "the frame vanished: its processes were ended together with what keeps record of its end"


class Accounted(EndOfLife):
    """From the moment that a frame runs, or did, to its end."""

    async def _to_the_end(self) -> Exit:
        """Until its leader is gone, and on to the exit as it is reported. Raises CouldNotStart."""
        assert self.berth is not None
        await self.berth.supervisor.gone
        account = await self._account()
        ended = account.exit and self._unless_by_kernel(account.exit)
        self.phase = Phase.ENDING
        await self._prove_end()
        return await self._judge(account, ended)

    async def _account(self) -> ChainReport:
        """What its chain wrote: nobody else knows how it ended, so a disk in trouble is waited for.

        A chain file that can't be read from one that works says nothing.
        """
        assert self.berth is not None
        disk = self._site.disk
        try:
            return self._read_account(await disk.run(self.berth.read_chain))
        except OSError as problem:
            await disk.back(problem)
        try:
            return self._read_account(await disk.run(self.berth.read_chain))
        except OSError as problem:
            self.log.error("no account of an end {why} key={key}", why=problem, key=self.key)
            return self._read_account(None)

    async def _judge(self, account: ChainReport, ended: Exit | None) -> Exit:
        """The end that is reported. Raises CouldNotStart."""
        if ended is not None and not ended.failed:
            return ended
        if account.there and not account.started:
            raise CouldNotStart(account.said or NEVER_STARTED)
        if self._kill is not None:
            return self._by_agent(ended or Exit(1, signal.SIGKILL))
        if ended is None:
            self.explanation = GONE
            return VANISHED
        return await self._ruled(ended)

    def _read_account(self, text: bytes | None) -> ChainReport:
        """What a chain file says, None for none."""
        return read_chain(text)
