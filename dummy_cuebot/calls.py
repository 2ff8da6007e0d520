"""The client commands that are one call each: a table, and what prints the answer."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict

from rqd.proto import rqd_pb2

# An argument of a command: its name, what argparse is told of it.
Argument = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """One command: its rpc, what ``--help`` says, its arguments, and the request from them."""

    method: str
    about: str
    arguments: tuple[Argument, ...]
    request: Callable[[Namespace], Any]


def points(text: str) -> int:
    """Cores from the command line as the wire's points (100 = one core)."""
    try:
        return round(float(text) * 100)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a number of cores") from None


def told(response: Any) -> str:
    """An answer as indented JSON; an empty answer as nothing."""
    fields = MessageToDict(response, preserving_proto_field_name=True)
    return json.dumps(fields, indent=2) if fields else ""


_FRAME: Argument = ("frame_id", {"metavar": "FRAME_ID", "help": "the id that the launch printed"})
_REASON: Argument = ("--reason", {"metavar": "R", "default": "", "help": "goes into the log"})
_CORES: Argument = ("cores", {"metavar": "CORES", "type": points, "help": "cores, 0.5 is half"})


def _bare(method: str, message: str, about: str) -> Call:
    request = getattr(rqd_pb2, f"RqdStatic{message}Request")
    return Call(method, about, (), lambda options: request())


def _of_frame(method: str, about: str) -> Call:
    request = getattr(rqd_pb2, f"RqdStatic{method}Request")
    return Call(method, about, (_FRAME,), lambda options: request(frame_id=options.frame_id))


def _of_cores(method: str, about: str) -> Call:
    request = getattr(rqd_pb2, f"RqdStatic{method}Request")
    return Call(method, about, (_CORES,), lambda options: request(cores=options.cores))


def _kill(options: Namespace) -> Any:
    return rqd_pb2.RqdStaticKillRunningFrameRequest(
        frame_id=options.frame_id, message=options.reason
    )


CALLS: Mapping[str, Call] = {
    "kill-frame": Call("KillRunningFrame", "end a frame", (_FRAME, _REASON), _kill),
    "status": _of_frame("GetRunningFrameStatus", "what a running frame uses"),
    "run-frame": _of_frame("GetRunFrame", "a running frame as it was launched"),
    "report": _bare("ReportStatus", "ReportStatus", "a fresh report of the host"),
    "lock": _of_cores("Lock", "lock cores"),
    "lock-all": _bare("LockAll", "LockAll", "lock every core"),
    "unlock": _of_cores("Unlock", "unlock cores"),
    "unlock-all": _bare("UnlockAll", "UnlockAll", "unlock every core"),
    "nimby-on": _bare("NimbyOn", "NimbyOn", "start watching for the workstation's user"),
    "nimby-off": _bare("NimbyOff", "NimbyOff", "stop watching, lift a NIMBY lock"),
    "reboot-idle": _bare("RebootIdle", "RebootIdle", "reboot the host once no frame runs"),
    "reboot-now": _bare("RebootNow", "RebootNow", "end all frames, reboot the host"),
    "shutdown-idle": _bare("ShutdownRqdIdle", "ShutdownIdle", "end the agent once idle"),
    "shutdown-now": _bare("ShutdownRqdNow", "ShutdownNow", "end all frames, then the agent"),
    "restart-idle": _bare("RestartRqdIdle", "RestartIdle", "restart the agent once idle"),
    "restart-now": _bare("RestartRqdNow", "RestartNow", "restart the agent, frames go on"),
}
