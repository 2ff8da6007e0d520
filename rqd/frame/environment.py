"""The environment of a frame (pure; SPEC §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rqd.frame.spec import FrameSpec
from rqd.system.gpus import Gpu, by_index
from rqd.system.reservations import Reservation

STANDARD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


#: What systemd says to the agent alone: a frame would take it for its own.
_AGENTS_OWN = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID", "JOURNAL_STREAM"}
    | {"SYSTEMD_EXEC_PID", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "LOGS_DIRECTORY"}
    | {"MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE", "OPENRQD_FRAMES_CGROUP"}
)


class HostEnvironment(NamedTuple):
    """What of the host goes into every frame's environment.

    ``path`` is the frame's search path before the request's is appended; ``copied`` are the host's
    variables that the configuration lets through; ``free_gpu_memory`` is that of this moment, in
    KiB; ``gpu_name`` is what CUDA is to call a GPU.
    """

    name: str
    path: str
    copied: Mapping[str, str]
    free_gpu_memory: Callable[[], int] = lambda: 0
    gpu_name: Callable[[Gpu], str] = by_index


def host_environment(
    name: str,
    environ: Mapping[str, str],
    *,
    use_path: bool,
    use_all: bool,
    names: tuple[str, ...],
) -> HostEnvironment:
    """Pick what the configuration lets through of the agent's own environment."""
    if use_all:
        own = _AGENTS_OWN | ({"HOME"} if _home_is_state(environ) else set())
        copied = {each: value for each, value in environ.items() if each not in own}
    else:
        copied = {name: environ[name] for name in names if name in environ}
    copied.pop("PATH", None)
    path = environ.get("PATH", STANDARD_PATH) if use_path else STANDARD_PATH
    return HostEnvironment(name, path, copied)


def _home_is_state(environ: Mapping[str, str]) -> bool:
    """Whether the agent's home is a folder that systemd made for its state: no home for frames."""
    return environ.get("HOME") in environ.get("STATE_DIRECTORY", "").split(":")


def frame_environment(
    spec: FrameSpec, host: HostEnvironment, reservation: Reservation, log_path: str
) -> dict[str, str]:
    """Return the whole environment of a frame, from scratch."""
    env = {
        **host.copied,
        "PATH": host.path,
        "TERM": "unknown",
        "USER": spec.user_name,
        "LOGNAME": spec.user_name,
        "mcp": "1",
        "show": spec.show,
        "shot": spec.shot,
        "jobid": spec.job_name,
        "jobhost": host.name,
        "frame": spec.frame_name,
        "zframe": spec.frame_name,
        "logfile": log_path,
        "maxframetime": "0",
        "minspace": "200",
        "CUE3": "True",
        "SP_NOMYCSHRC": "1",
        "CUE_GPU_MEMORY": str(host.free_gpu_memory()),
        **{name: value for name, value in spec.environment.items() if name != "PATH"},
    }
    if asked := spec.environment.get("PATH"):
        env["PATH"] = f"{host.path}:{asked}"
    return env | _reserved(spec, reservation) | _gpus(host, reservation)


def _reserved(spec: FrameSpec, reservation: Reservation) -> dict[str, str]:
    """What the frame is told of the cores that are its own."""
    env = {}
    if threads := len(reservation.threads):
        env["CUE_THREADS"] = str(max(_number(spec.environment.get("CUE_THREADS")), threads))
        env["CUE_HT"] = str(threads > reservation.points // 100)
    return env


def _gpus(host: HostEnvironment, reservation: Reservation) -> dict[str, str]:
    """The GPUs that are the frame's own.

    CUDA by itself numbers the fastest first. Told so, it numbers as the driver does: else an index
    names another device on a host with several models.
    """
    gpus = reservation.gpus
    if not gpus:
        return {}
    return {
        "CUE_GPU_CORES": ",".join(map(by_index, gpus)),
        "CUDA_VISIBLE_DEVICES": ",".join(map(host.gpu_name, gpus)),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def _number(text: str | None) -> int:
    """A number of threads; 0 where the text is none that a machine could have."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0
