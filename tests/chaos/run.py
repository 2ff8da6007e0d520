"""One run from its first agent to its verdict: read ``Run.run`` from top to bottom."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.chaos import checker, frames, ledger, logs
from tests.chaos.agents import Agents
from tests.chaos.checker import Finding, Verdict
from tests.chaos.cuebot import ChaosCuebot
from tests.chaos.farm import Farm
from tests.chaos.frames import Frame
from tests.chaos.leftovers import left, torn
from tests.chaos.options import Options
from tests.chaos.report import Result, markdown, table
from tests.chaos.schedule import Fault, Life, Schedule
from tests.chaos.steps import targets
from tests.chaos.storage import Storage
from tests.environments import SOURCE_TREE
from tests.integration import remains
from tests.integration.farm import free_port

#: Seconds: between two lines that tell how far it is, and how long all may take to settle.
_PROGRESS, _PATIENCE = 10.0, 150.0
#: Seconds of silence after which nothing more comes, if something is missing and if not.
_LOST, _QUIET = 15.0, 3.0
_FOR_EVER = 10 * 365 * 86400.0
#: An agent that nobody kills.
_LAST = Life(None, _FOR_EVER, orderly=True)


class Run:
    """Everything that a run has; ``run`` is called once."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._plan = Schedule(options.seed)
        self._folder = Path(tempfile.mkdtemp(prefix="openrqd-chaos-"))
        (self._folder / "temp").mkdir()
        self._ledger = self._folder / "ledger"
        self._ledger.touch()
        prelude = self._folder / "frame.sh"
        prelude.write_text(frames.prelude(str(self._ledger)))
        self._storage = Storage(self._folder)
        self._cuebot = ChaosCuebot(free_port(), Random(f"{options.seed}/cuebot"))
        self._agents = Agents(self._folder, free_port(), self._cuebot.endpoint)
        self._farm = Farm(
            self._plan.frames(),
            self._agents,
            self._cuebot,
            self._storage,
            prelude=prelude,
            rate=options.rate,
        )
        self._calm, self._last = threading.Event(), threading.Event()
        self._commit = _commit()
        self._broken: list[str] = []
        self._began = time.monotonic()

    def run(self) -> Result:
        """Chaos, then quiet, then the verdict."""
        threads = [
            threading.Thread(target=self._watched, args=(each,))
            for each in (self._make_weather, self._make_faults, self._keep_agents)
        ]
        try:
            for thread in threads:
                thread.start()
            self._farm.start()
            self._wait_until_enough()
            took = time.monotonic() - self._began
            self._farm.stop()
            self._calm.set()
            settled = self._settle()
            remaining = [*self._wait_until_nothing_is_left(), *self._lost_pins()]
            return self._judge(took, settled, remaining)
        finally:
            self._farm.stop()
            self._farm.close()
            self._calm.set()
            self._last.set()
            for thread in threads:
                thread.join()
            self._clean_up()

    def _watched(self, work: Callable[[], None]) -> None:
        """A run of which a part has broken is worth nothing."""
        try:
            work()
        except Exception:
            self._broken.append(traceback.format_exc())
            raise

    # -- chaos -----------------------------------------------------------------------------------

    def _make_weather(self) -> None:
        for spell in self._plan.weather():
            self._cuebot.storm(spell, self._calm)
            if self._calm.is_set():
                break
        self._cuebot.clear_up()

    def _make_faults(self) -> None:
        for fault in self._plan.faults():
            if self._calm.wait(fault.quiet):
                return
            self._have(fault)

    def _have(self, fault: Fault) -> None:
        self._storage.begin(fault)
        try:
            self._calm.wait(fault.seconds)
        finally:
            self._storage.end(fault)

    def _keep_agents(self) -> None:
        for life in self._plan.lives():
            if self._calm.is_set():
                break
            self._agents.live(life, self._calm)
        while not self._last.is_set():
            self._agents.live(_LAST, self._last)

    def _wait_until_enough(self) -> None:
        told = self._began
        while not self._enough():
            time.sleep(0.1)
            if time.monotonic() - told > _PROGRESS:
                told = time.monotonic()
                self._tell("chaos")

    def _enough(self) -> bool:
        if self._broken:
            raise RuntimeError(self._broken[0])
        if self._options.seconds is not None:
            return time.monotonic() - self._began > self._options.seconds
        enough = self._farm.accepted >= self._options.frames
        return enough and self._agents.kills >= self._options.kills

    def _tell(self, phase: str) -> None:
        say(
            f"{time.monotonic() - self._began:6.0f} s  {phase}: {self._farm.accepted} accepted,"
            f" {len(self._farm.unended)} of these not ended, {self._agents.kills} kills,"
            f" {len(self._agents.hits)} at a step, Cuebot {self._cuebot.weather.value}"
        )

    # -- quiet -----------------------------------------------------------------------------------

    def _settle(self) -> bool:
        """Wait until no frame runs and Cuebot hears no more; whether that came to be.

        What is lost by then will never come: a while longer shows it.
        """
        until = time.monotonic() + _PATIENCE
        heard, since = -1, time.monotonic()
        while time.monotonic() < until:
            time.sleep(0.5)
            now = self._cuebot.heard
            if now != heard or not self._is_idle():
                heard, since = now, time.monotonic()
            elif time.monotonic() - since > (_LOST if self._farm.unended else _QUIET):
                return True
        self._tell("not settled")
        return False

    def _is_idle(self) -> bool:
        """Also of launches of which nobody knows, by what the agent says."""
        idle = self._agents.idle()
        return idle is not None and idle[0] == idle[1]

    def _wait_until_nothing_is_left(self) -> list[str]:
        until = time.monotonic() + 15
        while (remaining := left(self._folder, self._agents)) and time.monotonic() < until:
            time.sleep(0.3)
        return remaining

    def _lost_pins(self) -> list[str]:
        """Whether as many frames as there are processors get one each."""
        found = re.search(rb"processors cores=(\d+)", self._agents.log.read_bytes())
        assert found is not None
        probes = self._farm.probe(int(found[1]))
        _until(lambda: all(self._cuebot.has(probe.frame.key) for probe in probes))
        found_logs = [self._log_of(probe.frame) for probe in probes]
        unpinned = [log for log in found_logs if log is None or not log.pinned]
        return [f"pins: {len(unpinned)} of {len(probes)} processors"] if unpinned else []

    # -- verdict ---------------------------------------------------------------------------------

    def _judge(self, took: float, settled: bool, remaining: list[str]) -> Result:
        with open(self._ledger, encoding="ascii") as lines:
            accounts = ledger.read(lines)
        verdict = checker.check(
            self._farm.launches,
            accounts,
            self._cuebot.completions(),
            self._log_of,
            self._unkept(),
        )
        verdict.counts["records torn by a kill, set aside"] = len(torn(self._folder))
        for what in remaining:
            verdict.add("left over", "", what)
        if not settled:
            verdict.add("did not settle", "", f"within {_PATIENCE:.0f} s")
        self._judge_agents(verdict)
        result = Result(
            self._options.seed,
            time.strftime("%Y-%m-%d", time.gmtime()),
            self._commit,
            self._figures(took, verdict),
            verdict.findings,
        )
        self._keep(result)
        return result

    def _unkept(self) -> set[str]:
        """Frames that ended while the state folder took nothing.

        As agents said, to Cuebot or in their log, of which one that is killed takes the last lines
        with it.
        """
        said = rb"(?m)^(\S+) info .* frame (?:ended|is dead) frame_id=frame-(\w+)"
        logged = re.findall(said, self._agents.log.read_bytes())
        ends = [(_seconds(at), key.decode()) for at, key in logged]
        told = self._cuebot.completions().items()
        ends += [(each.at, key) for key, completions in told for each in completions]
        return {key for at, key in ends if self._storage.state_failed(at)}

    def _judge_agents(self, verdict: Verdict) -> None:
        verdict.findings += [Finding("agent", "", text) for text in self._agents.problems]
        text = self._agents.log.read_bytes()
        if tracebacks := text.count(b"Traceback"):
            verdict.add("agent", "", f"{tracebacks} tracebacks in its log")
        rotated = [p for name in _FOLDERS for p in (self._folder / name).glob("*.rqlog.*")]
        empty = [path for path in rotated if logs.take_apart(path.read_bytes()).is_empty]
        verdict.counts["headers that were rotated away"] += len(empty)
        for path in sorted(set(rotated) - set(empty)):
            verdict.add("a log was rotated away", path.name)

    def _log_of(self, frame: Frame) -> logs.Log | None:
        try:
            return logs.take_apart((self._folder / frame.folder / frame.log_name).read_bytes())
        except FileNotFoundError:
            return None

    def _figures(self, took: float, verdict: Verdict) -> dict[str, dict[str, object]]:
        ends = self._agents.ends
        hit = self._agents.hits
        places = {tuple(each.split(":")[:2]) for each in hit}
        return {
            "agents": {
                "seconds of chaos": took,
                "agents started": self._agents.started,
                **dict(sorted(ends.items())),
                "steps and moments that were hit": f"{len(places)} of {len([*targets()])}",
                "slowest start to serving, s": self._agents.longest_start,
            },
            "frames": {
                "launches": len(self._farm.launches),
                **dict(sorted(verdict.counts.items())),
            },
            "Cuebot, seconds": dict(sorted(self._cuebot.seconds.items())),
            "disks, times": dict(sorted(self._storage.done.items())),
        }

    def _keep(self, result: Result) -> None:
        """The figures; of a bad run also the evidence."""
        kept = SOURCE_TREE / ".cache" / "chaos"
        kept.mkdir(parents=True, exist_ok=True)
        (kept / f"{result.seed}.md").write_text(markdown(result))
        (kept / f"{result.seed}.hits").write_text("\n".join(self._agents.hits))
        if result.good:
            return
        evidence = kept / str(result.seed)
        evidence.mkdir(exist_ok=True)
        for path in (self._agents.log, self._ledger):
            shutil.copy(path, evidence)
        keys = {finding.key for finding in result.findings}
        for launch in self._farm.launches:
            path = self._folder / launch.frame.folder / launch.frame.log_name
            if launch.frame.key in keys and path.exists():
                shutil.copy(path, evidence)
        say(f"the agent's log and the ledger are in {evidence}")

    # -- the end ---------------------------------------------------------------------------------

    def _clean_up(self) -> None:
        self._cuebot.close()
        self._storage.close()
        remains.kill(str(self._folder))
        _until(lambda: remains.remove_groups(str(self._folder / "state")))
        shutil.rmtree(self._folder, ignore_errors=True)


_FOLDERS = ("plain", "small", "fuse")


def _until(done: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done() and time.monotonic() < until:
        time.sleep(0.1)


def _seconds(stamp: bytes) -> float:
    """A time in the agent's log, in seconds since the epoch."""
    return dt.datetime.strptime(stamp.decode(), "%Y-%m-%dT%H:%M:%S.%f%z").timestamp()


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=SOURCE_TREE,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(options: Options) -> bool:
    """A whole run, told on the terminal; whether nothing was lost."""
    if os.geteuid() != 0:
        raise SystemExit("chaos needs root: it mounts file systems")
    say(f"OPENRQD_CHAOS_SEED={options.seed}")
    result = Run(options).run()
    say(table(result))
    return result.good
