"""The classic agent's command-line client, as PyPI ships it, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.environments import cached_environment, run
from tests.integration.agent import PATIENCE, Agent

#: What the client imports of all that its package asks for; the rest needs a C compiler.
_REQUIREMENTS = (
    "--no-deps",
    "opencue-rqd>=1.37",
    "opencue-proto>=1.37",
    "grpcio",
    "protobuf",
    "typing_extensions",
)


def help_text() -> str:
    """What the client says of itself."""
    return run(cached_environment("cuerqd", _REQUIREMENTS), "-m", "rqd.cuerqd", "--help")


@dataclass(frozen=True, slots=True)
class Said:
    """How one command ended."""

    status: int
    out: str
    err: str


class Cuerqd:
    """``cuerqd``, with its own configuration file that says where the agent listens."""

    def __init__(self, agent: Agent) -> None:
        self._python = cached_environment("cuerqd", _REQUIREMENTS)
        self._configuration = Path(agent.folder, "rqd.conf")
        self._configuration.write_text(f"[Override]\nRQD_GRPC_PORT={agent.port}\n")

    def run(self, *arguments: str) -> Deferred[Said]:
        """``cuerqd 127.0.0.1 ARGUMENTS``; the package installs no such program, only the module."""
        return deferToThread(self._wait, "", "-m", "rqd.cuerqd", "127.0.0.1", *arguments)

    def call(self, expression: str) -> Deferred[Said]:
        """Python of a tool that imports the client: one call of its ``RqdHost``, named ``host``."""
        program = f"from rqd.cuerqd import RqdHost; host = RqdHost('127.0.0.1'); host.{expression}"
        # Not by -c: the package takes every -c for one of its own.
        return deferToThread(self._wait, program, "-")

    def _wait(self, program: str, *arguments: str) -> Said:
        done = subprocess.run(
            [self._python, *arguments],
            cwd=self._configuration.parent,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "RQD_CONFIG_FILE": str(self._configuration),
                "USER": "wrangler",
            },
            input=program,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        return Said(done.returncode, done.stdout, done.stderr)
