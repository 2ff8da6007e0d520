"""Bytes to a port, without gRPC."""

from __future__ import annotations

import socket


def say_and_wait_for_close(port: int, sample: bytes, patience: float) -> None:
    """Say ``sample`` on loopback and wait, ``patience`` seconds, until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        try:
            connection.sendall(sample)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except TimeoutError:
            raise
        except OSError:
            pass  # it closed before it had heard everything
