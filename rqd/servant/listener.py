"""Who listens on a port: for the sentence of an agent that can't."""

from __future__ import annotations

import time

import psutil

#: Characters of a command line that are told.
_LONGEST = 1000


def listener_on(port: int) -> str:
    """Describe the process that listens on a TCP port of this host, whatever its address.

    Empty where nobody listens, or nobody can be seen. Blocks for as long as it takes to look at
    the descriptors of all processes.
    """
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""
    pids = [
        connection.pid
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
    ]
    if not pids:
        return ""
    told = next((pid for pid in pids if pid is not None), None)
    if told is None:
        return "a program that only root can see"
    return _describe(told)


def _describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(process.create_time()))
        command = " ".join(process.cmdline())[:_LONGEST]
    except psutil.Error:
        return f"pid {pid}"
    return f"pid {pid}, since {since}, command line {command!r}"
