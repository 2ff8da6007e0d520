"""The real logging room in processes that end themselves by SIGKILL.

A program of its own, which ``Agents`` (``log_deaths``) talks to: for each order, a line of JSON, it
forks an agent and tells how that ended. Python is started once, since that takes longer than all
that such an agent does.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from twisted.internet import defer, epollreactor  # noqa: F401 (made ready for the agents)

from rqd.logging import checkpoint, framelogs, mounts, wakeups  # noqa: F401
from tests.integration.traps import Death, Trap


async def live(
    folder: str,
    path: str,
    kind: str,
    *,
    resumes: bool,
    ends: bool,
    pieces: list[str],
) -> None:
    """Follow the frame's output, which comes in these pieces (files), to the end of it."""
    from tests.integration.log_frames import FOOTER, LogRoom, read, until

    room = LogRoom(folder, direct=kind == "direct", remote=kind == "remote")
    log = await (room.resume(path) if resumes else room.open(path))
    if kind != "direct":
        state = room.spool(os.path.basename(path)), path_of_checkpoint(folder, path)
        for piece in pieces:
            await until(lambda: is_copied(*state))
            with open(state[0], "ab") as spool:
                spool.write(read(piece))
        await until(lambda: is_copied(*state))
    if ends:
        await log.close(FOOTER)
    else:
        log.leave()
    await room.stop()


def path_of_checkpoint(folder: str, path: str) -> str:
    return os.path.join(folder, os.path.basename(path) + ".checkpoint")


def is_copied(spool: str, checkpoint_path: str) -> bool:
    """Whether all that has been printed is in the log, as far as the checkpoint knows."""
    found = checkpoint.load(checkpoint_path)
    return (found[0].offset if found else 0) == os.path.getsize(spool)


def run(folder: str, death: list[Any] | None, **order: Any) -> int:
    """In a process of its own: the exit status, unless it dies."""
    from twisted.internet import reactor

    Trap(folder, Death(*death) if death else None).set()
    status = 1

    def over(result: object) -> None:
        nonlocal status
        status = 0 if result is None else 1
        if result is not None:
            sys.stderr.write(f"{result}\n")
        reactor.stop()

    reactor.callWhenRunning(
        lambda: defer.Deferred.fromCoroutine(live(folder, **order)).addBoth(over)
    )
    reactor.run(installSignalHandlers=False)
    return status


def main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                os._exit(run(**json.loads(line)))
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
