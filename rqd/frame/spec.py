"""A launch request, validated: what the agent was asked to run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from rqd.refusals import InvalidRequest

if TYPE_CHECKING:
    from rqd.proto.rqd_pb2 import RunFrame

#: A shell reads the command from a file, so its length is bounded by sense, not by the kernel.
MAX_COMMAND_BYTES = 16 << 20
#: The kernel's limit for one environment string (``NAME=value`` and its NUL), bytes.
MAX_ENVIRONMENT_STRING = 128 << 10
#: Longest name of a user, show or shot, bytes: nobody has longer ones, and variables hold them.
MAX_TEXT_BYTES = 64 << 10
#: What no part of a log's file name may hold.
_NO_FILE_NAME = re.compile(r"[/\x00-\x1f\x7f]")
#: Room for the whole environment in an ``execve``; the kernel gives a quarter of the stack limit.
MAX_ENVIRONMENT_BYTES = 1 << 20


class FrameSpec(NamedTuple):
    """What runs, for whom, and within which limits.

    ``num_cores`` is in points (100 = one core), memory limits in KiB (0: none), ``uid`` is None
    where the request had none, ``gid`` 0 where it had none (proto3 cannot tell). ``request`` is the
    RunFrame as it came, serialised, with whatever a newer scheduler put into it: it is what
    GetRunFrame answers. What of it isn't here has no effect: the deprecated paths, ``start_time``,
    ``pid``, ``children`` and ``attributes``, which are the agent's to tell.
    """

    resource_id: str
    job_id: str
    job_name: str
    frame_id: str
    frame_name: str
    layer_id: str
    command: str
    user_name: str
    log_dir: str
    show: str
    shot: str
    num_cores: int
    num_gpus: int
    uid: int | None
    gid: int
    ignore_nimby: bool
    environment: Mapping[str, str]
    os: str
    soft_memory_limit: int
    hard_memory_limit: int
    loki_url: str
    request: bytes

    @property
    def name(self) -> str:
        """``job.frame``, as logs and people call it."""
        return f"{self.job_name}.{self.frame_name}"

    @property
    def log_path(self) -> str:
        """Where the frame's log is."""
        return f"{self.log_dir}/{self.name}.rqlog"

    @property
    def threadable(self) -> bool:
        """Whether the frame asked for whole physical cores of its own (SPEC §3)."""
        return self.environment.get("CUE_THREADABLE") == "1" and self.num_cores % 100 == 0


def parse(request: RunFrame) -> FrameSpec:
    """Return the spec of a request.

    Raises InvalidRequest with a sentence that names the field and what is wrong with it.
    """
    spec = FrameSpec(
        uid=request.uid if request.HasField("uid") else None,
        environment=dict(request.environment),
        soft_memory_limit=max(0, request.soft_memory_limit),
        hard_memory_limit=max(0, request.hard_memory_limit),
        request=request.SerializeToString(),
        **{field: getattr(request, field) for field in _COPIED}
        | {field: intern(getattr(request, field)) for field in _SHARED},
    )
    for check in _CHECKS:
        check(spec)
    return spec


_COMPUTED = {"uid", "environment", "soft_memory_limit", "hard_memory_limit", "request"}
#: What many frames of a host have in common, and share.
_SHARED = ("job_id", "job_name", "layer_id", "user_name", "log_dir", "show", "shot")
_COPIED = tuple(name for name in FrameSpec._fields if name not in {*_COMPUTED, *_SHARED})


def _check_ids(spec: FrameSpec) -> None:
    if not spec.frame_id:
        raise InvalidRequest("frame_id is empty")


def _check_names(spec: FrameSpec) -> None:
    """Job and frame name become a file name in the log folder: nothing may leave that folder."""
    for field, value in (("job_name", spec.job_name), ("frame_name", spec.frame_name)):
        if not value:
            raise InvalidRequest(f"{field} is empty")
        if value in (".", "..") or _NO_FILE_NAME.search(value):
            raise InvalidRequest(
                f"{field} {value!r} can't be part of a file name: it may hold no '/',"
                " no control character, and not be '.' or '..'"
            )
    if len(f"{spec.name}.rqlog.15".encode(errors="surrogateescape")) > 255:
        raise InvalidRequest("job_name and frame_name together are too long for a file name")


def _check_command(spec: FrameSpec) -> None:
    if not spec.command.strip():
        raise InvalidRequest("command is empty")
    if "\0" in spec.command:
        raise InvalidRequest("command holds a NUL byte, which no shell can run")
    if len(spec.command.encode(errors="surrogateescape")) > MAX_COMMAND_BYTES:
        raise InvalidRequest(f"command is longer than {MAX_COMMAND_BYTES >> 20} MiB")


def _check_numbers(spec: FrameSpec) -> None:
    if spec.num_cores <= 0:
        raise InvalidRequest(
            f"num_cores must be positive (in points, 100 a core), not {spec.num_cores}"
        )
    if spec.num_gpus < 0:
        raise InvalidRequest(f"num_gpus can't be negative: {spec.num_gpus}")
    if spec.uid is not None and spec.uid <= 0:
        raise InvalidRequest(f"uid must be positive, not {spec.uid}: frames never run as root")
    if spec.gid < 0:
        raise InvalidRequest(f"gid can't be negative: {spec.gid}")


def _check_log_dir(spec: FrameSpec) -> None:
    if not spec.log_dir.startswith("/") or "\0" in spec.log_dir:
        raise InvalidRequest(f"log_dir must be an absolute path, not {spec.log_dir!r}")


def _check_texts(spec: FrameSpec) -> None:
    """They are handed to the frame as variables of its environment."""
    for field, value in (("user_name", spec.user_name), ("show", spec.show), ("shot", spec.shot)):
        if "\0" in value:
            raise InvalidRequest(f"{field} holds a NUL byte, which no environment can hold")
        if len(value.encode(errors="surrogateescape")) > MAX_TEXT_BYTES:
            raise InvalidRequest(f"{field} is longer than {MAX_TEXT_BYTES >> 10} KiB")


def _check_environment(spec: FrameSpec) -> None:
    total = 0
    for name, value in spec.environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise InvalidRequest(
                f"environment variable {name!r} can't be set: a name may not be empty or hold '=',"
                " and neither name nor value may hold a NUL byte"
            )
        size = len(f"{name}={value}".encode(errors="surrogateescape")) + 1
        if size > MAX_ENVIRONMENT_STRING:
            raise InvalidRequest(f"environment variable {name!r} is longer than 128 KiB")
        total += size
    if total > MAX_ENVIRONMENT_BYTES:
        raise InvalidRequest(f"the environment is larger than {MAX_ENVIRONMENT_BYTES >> 20} MiB")


_CHECKS = (
    _check_ids,
    _check_names,
    _check_command,
    _check_numbers,
    _check_log_dir,
    _check_texts,
    _check_environment,
)
