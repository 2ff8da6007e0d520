"""Where agents and report servers are found: ``HOST``, ``HOST:PORT``, ``[IPV6]:PORT``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any

RQD_PORT = 8444
REPORT_PORT = 4343

# Loopback and farm addresses are reached directly, whatever proxy the environment names, and a
# peer that is still starting is tried again at once rather than after gRPC's minutes.
CHANNEL_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def port(text: str) -> int:
    """A port from the command line; 0 asks a server for any free one."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return int(text)


def address(host: str, port: int) -> str:
    """``host:port`` as gRPC wants it: an IPv6 address gets its brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def endpoint(default_port: int) -> Callable[[str], str]:
    """A parser of ``HOST[:PORT]`` for argparse."""

    def parse(text: str) -> str:
        host, colon, number = text.rpartition(":")
        if not colon or text.endswith("]") or (":" in host.strip("[]") and host[:1] != "["):
            host, number = text, str(default_port)
        if not host or not number:
            raise ArgumentTypeError(f"{text!r} is not HOST or HOST:PORT")
        return address(host, port(number))

    return parse
