"""Reports as lines, for people and for programs. Pure."""

from __future__ import annotations

import json
import time
from typing import Any

from google.protobuf.json_format import MessageToDict

from dummy_cuebot.colours import Painter, plain
from dummy_cuebot.reports import COMPLETION, STARTUP, STATUS, Report
from rqd.proto import host_pb2

_STYLES = {STARTUP: "bold", STATUS: "dim", COMPLETION: "busy"}


def as_json(report: Report) -> str:
    """One JSON object, on one line; ``message`` in proto3's JSON form, field names kept."""
    return json.dumps(
        {
            "report": report.kind,
            "received": report.received,
            "peer": report.peer,
            "refused": report.refused,
            "message": MessageToDict(report.message, preserving_proto_field_name=True),
        }
    )


def as_line(report: Report, paint: Painter = plain) -> str:
    """One readable line: when, what, which host, and what matters of it."""
    clock = time.strftime("%H:%M:%S", time.localtime(report.received))
    kind = paint(f"{report.kind:<10}", _STYLES[report.kind])
    host = report.message.host.name or "(no name)"
    return f"{paint(clock, 'dim')} {kind} {host}: {_TELLERS[report.kind](report, paint)}"


def size(kib: int) -> str:
    """KiB in the unit that keeps the number short."""
    amount = float(kib)
    for unit in ("KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:.4g} TiB"


def outcome(exit_status: int, exit_signal: int) -> str:
    return f"exit {exit_status} signal {exit_signal}" if exit_signal else f"exit {exit_status}"


def _startup(report: Report, paint: Painter) -> str:
    host = report.message.host
    tags = ",".join(host.tags) or "none"
    system = host.attributes.get("SP_OS", "none")
    return (
        f"{_cores(report.message.core_info)}, {size(host.total_mem)} memory,"
        f" {size(host.total_mcp)} temp, os {system}, tags {tags}{_oddities(host, paint)}"
    )


def _status(report: Report, paint: Painter) -> str:
    host = report.message.host
    return (
        f"{_cores(report.message.core_info)}, {len(report.message.frames)} frames,"
        f" load {host.load / 100:.2f}, {size(host.free_mem)} memory free{_oddities(host, paint)}"
    )


def _completion(report: Report, paint: Painter) -> str:
    done = report.message
    end = outcome(done.exit_status, done.exit_signal)
    style = "bad" if done.exit_status or done.exit_signal else "good"
    again = paint(", answered with an error", "odd") if report.refused else ""
    return (
        f"{done.frame.job_name}.{done.frame.frame_name} {paint(end, style)},"
        f" ran {done.run_time} s, max rss {size(done.frame.max_rss)},"
        f" frame {done.frame.frame_id}{again}"
    )


def _cores(cores: Any) -> str:
    return (
        f"cores {cores.total_cores / 100:g} = {cores.idle_cores / 100:g} idle"
        f" + {cores.locked_cores / 100:g} locked + {cores.booked_cores / 100:g} booked"
    )


def _oddities(host: Any, paint: Painter) -> str:
    """What a wrangler wants to see when it isn't the usual."""
    odd = [] if host.state == host_pb2.UP else [_state(host.state)]
    odd += ["NIMBY locked"] if host.nimby_locked else []
    return "".join(f", {paint(word, 'odd')}" for word in odd)


def _state(number: int) -> str:
    known = host_pb2.HardwareState.DESCRIPTOR.values_by_number.get(number)
    return known.name if known else f"state {number}"


_TELLERS = {STARTUP: _startup, STATUS: _status, COMPLETION: _completion}
