"""The chain of programs around a frame's command (pure).

::

    sh (supervisor) ─┬─▶ sh ─▶ [taskset ─▶ nice ─▶ setpriv ─▶ sh] ─▶ [env] ─▶ shell script
                     └── waits, writes the exit status, waits for the next orders

The supervisor is started ahead of any frame (see ``berths``), moves itself into a control group and
reads *orders* from a pipe: a shell text in which everything foreign is quoted. It carries them out
in a child, one frame after the other. An agent that dies closes the pipe: orders that aren't whole
are never carried out, and the supervisor ends after the frame that it runs.

Each link is a small standard program, so no Python runs between fork and exec while gRPC's
threads are alive. The supervisor is the leader of the frame's session: its pid is the session id.
It outlives the agent and keeps its own account in the *chain file* (its stdout and stderr), from
which any later agent learns what became of the frame::

    born PID                 the supervisor's pid, written as its first act
    up                       the frame's own shell takes over now
    exit STATUS              what the shell said of its end

Whatever else stands there (a ``setpriv`` that was refused, say) explains a start that failed.
The end is told to the agent first, if one still listens: ``PID STATUS``, on descriptor 4, as the
disk of the chain file may hang; ``PID`` follows once the end is in the chain file, from when on
another frame may run there. In the child, descriptor 3 is where the frame's output goes. The
supervisor catches every signal that a frame may send to its own group, so that only SIGKILL keeps
it from recording the end; caught signals go back to their default in the child.

The environment comes from the network. A shell exports it where every name is one that shells pass
on untouched: the child where the frame runs as the agent's own user, else the one that takes over.
Otherwise ``env`` sets it at the very end. So it never reaches a program that runs with the agent's
rights for another user, or one that could still write to the chain file.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from shlex import quote
from typing import NamedTuple

from rqd.frame.environment import STANDARD_PATH
from rqd.frame.users import Identity
from rqd.system import oomscore

_CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}
SIGNALS = " ".join(str(number) for number in range(1, signal.SIGRTMIN) if number in _CATCHABLE)
#: A frame must not inherit the agent's own protection from the kernel's OOM killer.
_OFFER = f"{{ echo {oomscore.FRAME} >/proc/self/oom_score_adj; }} 2>/dev/null || :"
_SUPERVISE = f"""\
echo "born $$"
trap : {SIGNALS}
[ -z "$1" ] || echo 0 >"$1/cgroup.procs" || exit 1
while [ $# -gt 1 ]; do {{ echo 0 >"$2/cgroup.procs"; }} 2>/dev/null; shift; done
exec 5>/dev/null
. /proc/self/fd/0
"""
#: Descriptor of the pipe that ends are told on.
ENDS = 4
#: The braces make it one command: a shell that reads only a part of it does nothing.
_PREPARE = """\
{{
(
set -e
{offer}
ulimit -S -n {descriptors}
umask {umask:04o}
cd {folder}
unset OLDPWD
exec </dev/null 4>&- 5>&- 3>>"""
_RUN = """
{exports}
{hand_over}
)
set -- "$1" $?
echo "$$ $2" 2>&5 >&4
echo "exit $2"
echo "$$" 2>&5 >&4
}}
"""
_TAKE_OVER = """\
[ -x "$1" ] || { echo "$1 can't be executed"; exit 126; }
echo up || exit 126
exec "$@" >&3 2>&3 3>&-"""
#: The same, and it exports what stands between the shell to look for and ``--``: as the frame's
#: user, and when it can't reach the chain file any more. Spares an ``env``.
_TAKE_OVER_AS_USER = """\
[ -x "$1" ] || { echo "$1 can't be executed"; exit 126; }
echo up || exit 126
exec >&3 2>&3 3>&-
shift
while [ "$1" != -- ]; do export "$1"; shift; done
shift
exec "$@"
"""
_DIRECT = f"set -- {{command}}\n{_TAKE_OVER.replace('{', '{{').replace('}', '}}')}"
_LINKED = "exec {command}"

#: Names that mean something to the dynamic linker, or to the supervising shell (dash or bash).
_LOADED = "LD_|GLIBC_|MALLOC_|BASH"
_SHELL_OWN = "ENV|IFS|LINENO|OLDPWD|OPTIND|POSIXLY_CORRECT|PPID|PWD|SHELLOPTS|PS1|PS2|PS4|UID|EUID"
#: Names that shells pass on untouched, each with a ``=`` behind it.
_PLAIN_NAMES = re.compile(f"((?!{_LOADED}|({_SHELL_OWN})=)[A-Za-z_][A-Za-z0-9_]*=)*", re.ASCII)


class Surroundings(NamedTuple):
    """Where and how a frame's shell runs.

    ``threads`` are the logical CPUs that it is pinned to (none: not pinned), ``descriptors`` how
    many files it may open, ``identity`` whom it becomes (None: the agent's own user).
    """

    shell: str
    folder: str
    umask: int
    descriptors: int
    threads: tuple[int, ...]
    nice: bool
    identity: Identity | None


@cache
def program(name: str) -> str:
    """Where a standard program is: a search in every child would cost more than the program."""
    paths = (f"{folder}/{name}" for folder in STANDARD_PATH.split(":"))
    return next((path for path in paths if os.access(path, os.X_OK)), name)


def script(shell: str, command: str) -> bytes:
    """The file that the frame's shell reads; the command is a shell command line of any length."""
    return f"#!{shell}\n{command}\n".encode(errors="surrogateescape")


def supervisor(group: str, beside: Sequence[str] = ()) -> list[str]:
    """Return what waits for orders; ``group`` is the folder of its control group, "" for none.

    It moves to those ``beside`` as well, of version 1: where that fails the frame runs all the
    same. It has to be started with its stdin a pipe and with ``ENDS``.
    """
    return [program("sh"), "-c", _SUPERVISE, "openrqd", group, *beside]


def orders(
    around: Surroundings, script_path: str, environment: Mapping[str, str]
) -> Callable[[str], bytes]:
    """Return what makes the text by which a supervisor runs a script.

    It wants the path that the output is appended to, which is known last: all else is done while
    the disk works.
    """
    given, take_over = environment, _TAKE_OVER
    command = [around.shell, script_path]
    plain = is_plain(environment)
    if not plain:
        command = [program("env"), "-i", "--", *_assignments(environment), *command]
    elif around.identity is not None:
        command = [around.shell, *_assignments(environment), "--", *command]
        take_over = _TAKE_OVER_AS_USER
    if around.identity is not None or not plain:
        given = {"PATH": STANDARD_PATH}
    hand_over = _DIRECT
    if links := _links(around):
        hand_over = _LINKED
        command = [*links, program("sh"), "-c", take_over, "openrqd", *command]
    begin = _PREPARE.format(
        offer=_OFFER,
        descriptors=around.descriptors,
        umask=around.umask,
        folder=quote(around.folder),
    )
    end = _RUN.format(exports=_exports(given), hand_over=hand_over.format(command=_quoted(command)))
    return lambda output: f"{begin}{quote(output)}{end}".encode(errors="surrogateescape")


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


def _exports(environment: Mapping[str, str]) -> str:
    return "export " + _quoted(_assignments(environment)) if environment else ""


def _quoted(words: Sequence[str]) -> str:
    """Words for a shell. All at once: none holds a NUL, as no program could be given one."""
    text = "\0".join(words).replace("'", "'\"'\"'").replace("\0", "' '")
    return f"'{text}'"


def _assignments(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether a shell would pass all of it on as it is."""
    return _PLAIN_NAMES.fullmatch("=".join([*environment, ""])) is not None
