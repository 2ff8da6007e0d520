"""The other end of systemd's sockets: real ones."""

from __future__ import annotations

import os
import socket
import tempfile
from types import TracebackType


class Listener:
    """A datagram socket with a short path, as such paths are bounded."""

    def __init__(self, address: str = "") -> None:
        self._folder = tempfile.mkdtemp(prefix="openrqd-")
        self.address = address or f"{self._folder}/socket"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def heard(self) -> list[bytes]:
        """What has arrived since the last look, a datagram each."""
        datagrams = []
        while True:
            try:
                datagrams.append(self._socket.recv(1 << 20))
            except BlockingIOError:
                return datagrams

    def close(self) -> None:
        self._socket.close()
        if os.path.exists(f"{self._folder}/socket"):
            os.unlink(f"{self._folder}/socket")
        os.rmdir(self._folder)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
