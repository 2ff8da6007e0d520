"""A frame's log under agents that die: what was printed is kept here, to compare."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from itertools import accumulate
from pathlib import Path

from tests.integration.log_frames import FOOTER, HEADER, read, unstamped
from tests.integration.traps import Death


def texts(seed: str) -> list[bytes]:
    """What frames print, in the pieces in which they do, the last line without an end."""
    rng = random.Random(seed)
    binary = rng.randbytes(20_000).replace(b"\n", b"\r\n")
    lines = b"".join(b"line %d\n" % number for number in range(20_000))
    long_line = bytes(rng.choices(b"abcdefgh", k=1000)) * 2600
    return [
        b"one\r\ntwo\n\r\n\nthree, and no more of it",
        b" yet\n" + binary + lines + long_line,
        b"the end of the line\nlast",
    ]


class Agents:
    """Agents, one after the other."""

    def __init__(self) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.dying_agent"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def live(self, **order: object) -> bool:
        """Let one live until it has done what it should, or has died: then false."""
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        if status not in (0, -signal.SIGKILL):
            steps = read(f"{order['folder']}/trace").decode()
            raise AssertionError(f"the agent broke, {status}: {order}\n{steps}")
        return status == 0

    def stop(self) -> None:
        """Clean-up."""
        self._server.communicate()


class Case:
    """One frame, of the ``kind`` spooled, remote or direct."""

    def __init__(self, agents: Agents, folder: str, kind: str, pieces: list[bytes]) -> None:
        self._agents = agents
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder + "/logs")
        self.path = self.folder + "/logs/job.frame.rqlog"
        self._kind = kind
        self._pieces = pieces
        self._files = [f"{self.folder}/piece.{number}" for number in range(len(pieces))]
        for file, piece in zip(self._files, pieces, strict=True):
            Path(file).write_bytes(piece)
        self._begun = self._written = False
        self.deaths: list[str] = []

    def live(self, death: Death | None = None, *, ends: bool = True) -> bool:
        """Let an agent follow the frame to its end; whether it outlived that."""
        lived = self._agents.live(
            folder=self.folder,
            path=self.path,
            kind=self._kind,
            resumes=self._begun,
            ends=ends and (self._kind != "direct" or self._begun),
            pieces=self._left(),
            death=death,
        )
        steps = read(self.folder + "/trace").decode().splitlines()
        if not lived:
            self.deaths.append(steps[-1].removeprefix("died: "))
        if self._kind == "direct" and lived and not self._begun:
            with open(self.path, "ab") as log:
                log.writelines(self._pieces)
            self._written = True
        self._begun = True
        return lived

    def end(self) -> None:
        """Let agents live that aren't killed; one more than is needed."""
        for _ in range(3):
            self.live()

    def _left(self) -> list[str]:
        """The pieces that have not been printed."""
        spool = Path(self.folder, os.path.basename(self.path) + ".spool")
        printed = spool.stat().st_size if spool.exists() else 0
        ends = accumulate(map(len, self._pieces))
        return [file for file, end in zip(self._files, ends, strict=True) if end > printed]

    def complaint(self) -> str | None:
        """What is wrong with the log, if anything is."""
        printed = b"".join(self._pieces)
        if self._kind == "direct" and not self._written:
            printed = b""
        if printed and not printed.endswith(b"\n"):
            printed += b"\n"
        log = read(self.path)
        try:
            found = unstamped(log)
        except AssertionError as problem:
            return f"{self.deaths}: {problem}"
        if found == printed:
            return None
        return (
            f"{self.deaths}: {len(found)} bytes of {len(printed)}, "
            f"headers {log.count(HEADER)}, footers {log.count(FOOTER)}"
        )
