"""Commands of the machine as real processes."""

from __future__ import annotations

import contextlib
import os
import signal

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rqd.frame.spawning import SessionSpawner
from rqd.host.running import CommandFailed, Runner
from tests.logging.awaiting import awaited


class RunnerTests(TestCase):
    """``Runner``."""

    timeout = 60

    def run_it(self, script: str, patience: float = 30.0) -> Deferred[str]:
        runner = Runner(reactor=reactor, processes=SessionSpawner(reactor), environ={"WORD": "hi"})
        return Deferred.fromCoroutine(runner.run(["/bin/sh", "-c", script], patience))

    async def why(self, script: str, patience: float = 30.0) -> str:
        try:
            await self.run_it(script, patience)
        except CommandFailed as problem:
            return str(problem)
        raise AssertionError("it did not fail")

    @awaited
    async def test_said(self) -> None:
        """What a command says is had, both ways of saying it, and its environment is the given."""
        self.assertEqual(await self.run_it("echo $WORD; echo you >&2"), "hi\nyou")

    @awaited
    async def test_failed(self) -> None:
        """One that fails is an error that tells what it said."""
        self.assertTrue((await self.why("echo not today; exit 3")).endswith("3: not today"))
        self.assertTrue((await self.why("exit 3")).endswith("it said nothing"))
        self.assertIn(f"signal {signal.SIGTERM.value}", await self.why("kill $$"))

    @awaited
    async def test_much(self) -> None:
        """Of one that says much, the end is told."""
        said = await self.run_it("head -c 3000000 /dev/zero | tr '\\0' x; echo end")
        self.assertTrue(said.endswith("xxend"))
        self.assertLess(len(said), 3000)

    @awaited
    async def test_hangs(self) -> None:
        """One that takes too long is ended."""
        self.assertIn("signal 9", await self.why("sleep 1000", patience=0.01))

    @awaited
    async def test_leaves_something_running(self) -> None:
        """What it leaves running, with its output open, is not waited for."""
        pid = int(await self.run_it("sleep 1000 & echo $!"))
        os.kill(pid, signal.SIGKILL)

    @awaited
    async def test_no_program(self) -> None:
        """A program that isn't there is an error like any other."""
        runner = Runner(reactor=reactor, processes=SessionSpawner(reactor), environ={})
        try:
            await runner.run(["/nowhere/stand-in"], 1.0)
        except CommandFailed as problem:
            self.assertIn("/nowhere/stand-in can't be run", str(problem))
        else:
            self.fail("it ran")

    @awaited
    async def test_descriptors(self) -> None:
        """Nothing stays open, however it ends."""
        await self.run_it("true")
        await self.why("false")
        await self.why("sleep 1000", patience=0.01)
        self.assertEqual([path for path in open_files() if "openrqd-command" in path], [])


def open_files() -> list[str]:
    """What this process has open."""
    paths = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own, closed since
            paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return paths
