"""What the frames of a run do, and how each must end.

Lines go to stdout and stderr in turns; what the shell itself says on stderr goes nowhere.

A frame keeps a ledger of its own: one line for each thing that it did, added to a file that all
frames share, by one write. Of each numbered line that it prints it says afterwards whether the
write went well; a write that the disk refused counts as said by nobody.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

#: What numbered lines end with, so that a torn one is known.
PAYLOAD = "the quick brown fox renders the lazy dog end"

#: Sourced by each frame, which has set ``me``. Ledger lines: ``<key> <what> <numbers>``.
_PRELUDE = """\
n=0
exec 9>&2 2>/dev/null
note() {{ echo "$me $*" >>{ledger}; }}
mend() {{ until echo; do sleep 0.05; done; }}
print() {{
    if [ $((n % 2)) = 0 ]; then echo "$me $n {payload}" >&9; else echo "$me $n {payload}"; fi
}}
say() {{
    n=$((n + 1))
    if print; then note said $n $n; else note unsaid $n $n; mend; fi
}}
pour() {{
    a=$((n + 1)); n=$((n + $1))
    if seq -f "$me %.0f {payload}" $a $n; then note said $a $n; else note unsaid $a $n; mend; fi
}}
over() {{ note end $1; exit $1; }}
note start $$
"""


class Frame(NamedTuple):
    """One frame of the plan.

    ``ends`` are the (exit_status, exit_signal) that it may have if nobody kills it: none for one
    that would go on for ever. ``killed_after`` seconds from its launch it is killed, if at all;
    ``deaf`` ones don't end by SIGTERM.
    """

    key: str
    kind: str
    body: str
    ends: tuple[int, int] | None
    killed_after: float | None = None
    deaf: bool = False
    pinned: bool = False
    folder: str = "plain"

    def command(self, prelude: str) -> str:
        """``prelude`` is the path of the file that ``prelude()`` is the text of."""
        return f"me={self.key}; . {prelude}; {self.body}"

    @property
    def log_name(self) -> str:
        return f"chaos.{self.key}.rqlog"


def prelude(ledger: str) -> str:
    """The shell functions of all frames; ``ledger`` is the path of their ledger."""
    return _PRELUDE.format(ledger=ledger, payload=PAYLOAD)


def line(key: str, number: int) -> bytes:
    """A numbered line as a frame prints it."""
    return f"{key} {number} {PAYLOAD}\n".encode()


_KINDS = {
    "short": 50,
    "long": 14,
    "talkative": 10,
    "forking": 8,
    "failing": 6,
    "signalled": 4,
    "killed": 3,
    "deaf": 3,
    "listening": 2,
}
_FOLDERS = {"plain": 45, "small": 35, "fuse": 20}
_SIGNALS = {"SEGV": 11, "KILL": 9, "ABRT": 6}


def invent(key: str, chance: Random) -> Frame:
    """A frame, by chance."""
    kind = chance.choices([*_KINDS], [*_KINDS.values()])[0]
    (folder,) = chance.choices([*_FOLDERS], [*_FOLDERS.values()])
    frame = _INVENTORS[kind](key, chance)
    return frame._replace(kind=kind, pinned=chance.random() < 0.2, folder=folder)


def pinned_probe(key: str) -> Frame:
    """A frame that holds a processor for a while."""
    return Frame(key, "probe", "say; sleep 2; over 0", (0, 0), pinned=True)


def _short(key: str, chance: Random) -> Frame:
    return Frame(key, "", "say; " * chance.randint(0, 3) + "over 0", (0, 0))


def _failing(key: str, chance: Random) -> Frame:
    status = chance.choice([1, 2, 99])
    return Frame(key, "", f"say; over {status}", (status, 0))


def _long(key: str, chance: Random) -> Frame:
    rounds, pause = chance.randint(2, 12), chance.choice([0.1, 0.3, 0.7])
    body = f"i=0; while [ $i -lt {rounds} ]; do say; sleep {pause}; i=$((i+1)); done; over 0"
    return Frame(key, "", body, (0, 0))


def _talkative(key: str, chance: Random) -> Frame:
    some, many = chance.randint(1, 500), chance.randint(500, 12000)
    return Frame(key, "", f"pour {some}; say; pour {many}; say; over 0", (0, 0))


def _forking(key: str, chance: Random) -> Frame:
    quiet = "</dev/null >/dev/null 2>&1 &"
    body = f"(trap '' TERM; sleep 300) {quiet} setsid sleep 300 {quiet} say; sleep 300 & over 0"
    return Frame(key, "", body, (0, 0))


def _signalled(key: str, chance: Random) -> Frame:
    name = chance.choice([*_SIGNALS])
    return Frame(key, "", f"say; kill -{name} $$; sleep 9", (1, _SIGNALS[name]))


_FOR_EVER = "i=0; while [ $i -lt 900 ]; do say; sleep 0.2; i=$((i+1)); done"


def _killed(key: str, chance: Random) -> Frame:
    return Frame(key, "", _FOR_EVER, None, chance.uniform(0, 4))


def _deaf(key: str, chance: Random) -> Frame:
    body = f"trap '' TERM; {_FOR_EVER}"
    return Frame(key, "", body, None, chance.uniform(0, 4), deaf=True)


def _listening(key: str, chance: Random) -> Frame:
    """Ends by itself once it is asked to."""
    return Frame(key, "", f"trap 'say; over 5' TERM; {_FOR_EVER}", None, chance.uniform(0, 4))


_INVENTORS = {
    "short": _short,
    "long": _long,
    "talkative": _talkative,
    "forking": _forking,
    "failing": _failing,
    "signalled": _signalled,
    "killed": _killed,
    "deaf": _deaf,
    "listening": _listening,
}
