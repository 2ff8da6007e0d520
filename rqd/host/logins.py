"""Who is logged in at the screen of this host."""

from __future__ import annotations

import re

#: X displays, seats, and the consoles that Wayland sessions and people at a text console have; not
#: the lines of remote logins (pts/0) and serial ports (ttyS0).
_AT_SCREEN = re.compile(r"(:\d.*|seat.*|tty\d+)", re.ASCII)


def at_display() -> list[str]:
    """Return who, as ``user on terminal``, by the system's own account (utmp).

    Where a system keeps no such account, nobody is known to be there. Blocks; in a worker.
    """
    import psutil

    return [
        f"{user.name} on {user.terminal}"
        for user in psutil.users()
        if user.terminal and _AT_SCREEN.fullmatch(user.terminal)
    ]
