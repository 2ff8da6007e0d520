"""The protocol of ``sd_notify``: lines in a datagram to the socket that systemd names.

It is a dozen lines, so python3-systemd is not asked for it.
"""

from __future__ import annotations

import socket
from contextlib import suppress


class Notifier:
    """Says things to systemd, without ever waiting for it.

    What can't be said at once (its socket is full) is said with the next thing, in its newest form.
    """

    def __init__(self, address: str) -> None:
        """``address`` is a path, or ``@`` and an abstract name."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._unsaid: dict[str, str] = {}

    def say(self, **assignments: object) -> None:
        """Say ``NAME=value`` for each; line breaks in a value would begin another."""
        for name, value in assignments.items():
            self._unsaid.pop(name, None)
            self._unsaid[name] = " ".join(str(value).split("\n"))
        text = "\n".join(f"{name}={value}" for name, value in self._unsaid.items())
        with suppress(OSError):
            self._socket.sendto(text.encode(errors="backslashreplace"), self._address)
            self._unsaid.clear()

    def close(self) -> None:
        self._socket.close()


def say_last(address: str, status: str) -> None:
    """For a process that is about to end: why, for ``systemctl status``."""
    with suppress(OSError):
        notifier = Notifier(address)
        notifier.say(STATUS=status)
        notifier.close()
