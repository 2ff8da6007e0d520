"""What systemd is about to do with the agent's unit: its SIGTERM doesn't say."""

from __future__ import annotations

from rqd.host.running import Runner
from rqd.host.systemd import Unit

#: What ends frames; ``restart`` and ``try-restart`` (systemd calls both the former) don't, and a
#: SIGTERM that systemd knows nothing of doesn't either.
STOP = "stop"
#: How long systemd may take to answer, seconds; it took 1 ms, also while the host went down.
PATIENCE = 5.0


async def pending_job(unit: Unit, systemctl: str, runner: Runner) -> str:
    """``stop``, ``restart``, or "" where nothing is to be done; raises CommandFailed.

    A shutdown of the host is a ``stop``. ``systemctl`` speaks to systemd itself where it can,
    so this doesn't depend on the message bus, which may be gone by then.
    """
    manager = ("--user",) if unit.by_user else ()
    question = (*manager, "list-jobs", "--no-legend", "--plain", "--no-pager", unit.name)
    said = await runner.run((systemctl, *question), PATIENCE)
    return job_in(said, unit.name)


def job_in(said: str, unit: str) -> str:
    """The kind of job of a unit in a list of lines ``NUMBER UNIT KIND STATE``."""
    for line in said.splitlines():
        words = line.split()
        if len(words) == 4 and words[1] == unit:
            return words[2]
    return ""
