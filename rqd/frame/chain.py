"""The chain of programs around a frame's command (pure).

::

    sh (supervisor) ─┬─▶ [taskset ─▶ nice ─▶ setpriv ─▶ sh] ─▶ [env] ─▶ shell script
                     └── waits, writes the exit status

Each link is a small standard program, so no Python runs between fork and exec while gRPC's
threads are alive. The supervisor is the leader of the frame's session: its pid is the session id.
It outlives the agent and keeps its own account in the *chain file* (its stdout and stderr), from
which any later agent learns what became of the frame::

    born PID                 the supervisor's pid, written as its first act
    up                       the frame's own shell takes over now
    exit STATUS              what the shell said of its end

Whatever else stands there (a ``setpriv`` that was refused, say) explains a start that failed.
Descriptor 3 is where the frame's output goes. The supervisor catches every signal that a frame may
send to its own group, so that only SIGKILL keeps it from recording the end; caught signals go back
to their default in the child.

The environment comes from the network. It may be the supervisor's too (one program less to start)
where the frame runs as the agent's own user and every name is one that a shell passes on untouched;
otherwise ``env`` sets it at the very end: it never reaches a program that runs with the agent's
rights, or one that could still write to the chain file.
"""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from rqd.frame.environment import STANDARD_PATH
from rqd.frame.users import Identity

#: Descriptor of the frame's output within the chain.
OUTPUT = 3

_TAKE_OVER = """\
[ -x "$1" ] || { echo "$1 can't be executed"; exit 126; }
echo up
exec "$@" >&3 2>&3 3>&-"""
_SUPERVISE = """\
echo "born $$"
trap : {signals}
(
set -e
umask "$1"
cd "$2"
unset OLDPWD
[ -z "$3" ] || echo 0 >"$3/cgroup.procs"
shift 3
{hand_over}
)
set -- $?
echo "exit $1"
exit $1
"""
_CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
_SIGNALS = " ".join(str(number) for number in range(1, signal.SIGRTMIN) if number in _CATCHABLE)
_DIRECT = _SUPERVISE.format(signals=_SIGNALS, hand_over=_TAKE_OVER)
_LINKED = _SUPERVISE.format(signals=_SIGNALS, hand_over='exec "$@"')

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
#: Names that mean something to the dynamic linker, or to the shell (dash or bash) that supervises.
_LOADED = ("LD_", "GLIBC_", "MALLOC_", "BASH")
_SHELL_OWN = frozenset(
    {"ENV", "IFS", "LINENO", "OLDPWD", "OPTIND", "POSIXLY_CORRECT", "PPID", "PWD", "SHELLOPTS"}
    | {"PS1", "PS2", "PS4"}
)


class Chain(NamedTuple):
    """What ``spawnProcess`` gets: the arguments (the first is the program) and the environment."""

    arguments: list[str]
    environment: dict[str, str]


class Surroundings(NamedTuple):
    """Where and how a frame's shell runs.

    ``threads`` are the logical CPUs that it is pinned to (none: not pinned), ``cgroup`` the folder
    of its control group ("" for none), ``identity`` whom it becomes (None: the agent's own user).
    """

    shell: str
    folder: str
    umask: int
    cgroup: str
    threads: tuple[int, ...]
    nice: bool
    identity: Identity | None


@cache
def program(name: str) -> str:
    """Where a standard program is: a search in every child would cost more than the program."""
    return shutil.which(name, path=STANDARD_PATH) or name


def script(shell: str, command: str) -> bytes:
    """The file that the frame's shell reads; the command is a shell command line of any length."""
    return f"#!{shell}\n{command}\n".encode(errors="surrogateescape")


def build(around: Surroundings, script_path: str, environment: Mapping[str, str]) -> Chain:
    """Return the chain that runs a script within its surroundings."""
    given = dict(environment)
    command = [around.shell, script_path]
    if around.identity is not None or not _is_plain(environment):
        given = {"PATH": STANDARD_PATH}
        command = [program("env"), "-i", "--", *_assignments(environment), *command]
    supervise = _DIRECT
    if links := _links(around):
        supervise = _LINKED
        command = [*links, program("sh"), "-c", _TAKE_OVER, "openrqd", *command]
    where = [f"{around.umask:04o}", around.folder, around.cgroup]
    return Chain([program("sh"), "-c", supervise, "openrqd", *where, *command], given)


def _links(around: Surroundings) -> list[str]:
    links = []
    if around.threads:
        links += [program("taskset"), "-c", ",".join(map(str, around.threads))]
    if around.nice:
        links += [program("nice")]
    if around.identity is not None:
        links += _become(around.identity)
    return links


def _become(identity: Identity) -> list[str]:
    groups = (
        ["--groups", ",".join(map(str, identity.groups))] if identity.groups else ["--clear-groups"]
    )
    return [program("setpriv"), "--reuid", str(identity.uid), "--regid", str(identity.gid), *groups]


def _assignments(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _is_plain(environment: Mapping[str, str]) -> bool:
    return all(
        _PLAIN_NAME.fullmatch(name) and name not in _SHELL_OWN and not name.startswith(_LOADED)
        for name in environment
    )
