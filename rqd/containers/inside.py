"""What a container is made of (pure): its first program, its mounts, its limits.

The first program is a shell (``WRAPPER``) below the engine's small init. It keeps the frame's
account as the supervisor on the host does (``rqd.frame.chain``), in a chain file that is bound into
the container: how the frame ended is known whatever becomes of engine and agent. All of it runs as
the frame's user from its first instruction on.

::

    /.openrqd/chain      born PID, up, oom N, peak BYTES, exit STATUS
    /.openrqd/permit     empty once the frame may not start any more
    /.openrqd/command    the command, as on the host
    /.openrqd/output     the frame's spool

Between ``born`` and ``up`` it looks at the permit. An agent that doesn't know whether the engine
will still start a container empties it, and reads the chain file then: no ``born`` there proves
that the frame never runs. ``born``, and no process of the host that has the container's name on its
command line: it is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from rqd.config.settings import DockerMount, DockerSettings
from rqd.containers.interface import LABEL
from rqd.frame.chain import SIGNALS, is_plain
from rqd.frame.environment import STANDARD_PATH
from rqd.frame.spec import FrameSpec
from rqd.frame.users import Identity
from rqd.system import oomscore
from rqd.system.reservations import Reservation

OWN = "/.openrqd"
CHAIN, PERMIT, COMMAND, OUTPUT = (f"{OWN}/{n}" for n in ("chain", "permit", "command", "output"))
#: Arguments: folder, umask, what PATH is to end with, where output goes; then the command's words.
#: Variables are few and set late: what is set before the command runs might be the frame's own.
WRAPPER = f"""\
exec >>{CHAIN} 2>&1 </dev/null
trap : {SIGNALS}
echo "born $$"
[ -s {PERMIT} ] || exit 125
(
set -e
umask "$2"
cd "$1"
unset OLDPWD
export PATH="${{PATH:+$PATH:}}$3"
exec 3>>"$4"
shift 4
command -v "$1" >/dev/null || {{ echo "the image has no $1"; exit 126; }}
echo up || exit 126
exec "$@" >&3 2>&3 3>&-
)
set -- $?
for f in memory.events memory/memory.oom_control; do
    [ ! -r /sys/fs/cgroup/$f ] || while read -r w n; do
        [ "$w" != oom_kill ] || echo "oom $n"
    done </sys/fs/cgroup/$f
done
for f in memory.peak memory/memory.max_usage_in_bytes; do
    [ ! -r /sys/fs/cgroup/$f ] || {{ read -r n </sys/fs/cgroup/$f && echo "peak $n"; }}
done
echo "exit $1"
exit $1
"""
#: The least memory that the engine takes as a limit, bytes.
_LEAST_MEMORY = 6 << 20
#: What the engine takes as a weight, and what it gives to a container without one.
_LEAST_SHARES, _MOST_SHARES, _SHARES_OF_A_CORE = 2, 262144, 1024


class Files(NamedTuple):
    """What of the host is bound into the container for the agent's own ends: paths."""

    chain: str
    permit: str
    command: str
    passwd: str
    group: str
    spool: str
    """"" where the frame writes to its log itself."""


class Order(NamedTuple):
    """All that a container is made by.

    ``called`` is its name, by which its first program is known among all of this host.
    ``folders`` are mounted where they are on the host.
    """

    called: str
    spec: FrameSpec
    reservation: Reservation
    identity: Identity
    image: str
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    files: Files
    folder: str
    folders: Sequence[str]
    umask: int
    output: str


def labels(spec: FrameSpec, host: str) -> dict[str, str]:
    """What tells people, and ``docker ps``, whose a container is."""
    told = {
        "frame": spec.frame_id,
        "name": spec.name,
        "job": spec.job_id,
        "show": spec.show,
        "host": host,
    }
    return {f"{LABEL}{name}": text for name, text in told.items()}


def body(order: Order, settings: DockerSettings, mounts: Sequence[DockerMount]) -> dict[str, Any]:
    """The container in the engine's words.

    Who stops it, or the engine, by hand need not wait: TERM would reach the account's keeper only.
    """
    identity, spec = order.identity, order.spec
    made = {
        "Image": order.image,
        "User": f"{identity.uid}:{identity.gid}",
        "Env": _environment(order.environment),
        "Entrypoint": ["/bin/sh", "-c", WRAPPER, order.called, *_arguments(order, settings)],
        "Cmd": [],
        "WorkingDir": "/",
        "StopSignal": "SIGKILL",
        "Labels": dict(order.labels),
        "HostConfig": {
            "Init": settings.init,
            "NetworkMode": settings.network,
            "Mounts": [*_own_mounts(order, mounts), *map(_mount, mounts)],
            "GroupAdd": [str(group) for group in identity.groups],
            "LogConfig": {"Type": "none", "Config": {}},
            "RestartPolicy": {"Name": "no"},
            "OomScoreAdj": oomscore.FRAME,
            "Privileged": settings.privileged,
            "CapAdd": list(settings.cap_add),
            "CapDrop": list(settings.cap_drop),
            "SecurityOpt": list(settings.security_opt),
            "Ulimits": [_ulimit(name, text) for name, text in settings.ulimits.items()],
            "Devices": list(map(_device, settings.devices)),
            **_processors(order.reservation),
            **_memory(spec),
            **_limits(settings),
            **_gpus(order.reservation, settings),
        },
    }
    if settings.hostname and settings.network != "host":
        made["Hostname"] = settings.hostname
    return made


def gpu_environment(reservation: Reservation, settings: DockerSettings) -> dict[str, str]:
    """Inside, devices are numbered anew: only their UUIDs mean the same there."""
    if not settings.gpus or not reservation.gpus:
        return {}
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in reservation.gpus)}


def home_of(home: str, mounts: Iterable[DockerMount], otherwise: str) -> str:
    """The user's home if it is there inside; else the working folder."""
    for mount in mounts:
        target = mount.target.rstrip("/")
        if home == target or home.startswith(f"{target}/"):
            return home
    return otherwise


def _environment(environment: Mapping[str, str]) -> list[str]:
    """What any shell hands on. PATH is the image's own; what is to follow it is added inside."""
    return [f"{n}={v}" for n, v in environment.items() if n != "PATH" and is_plain({n: v})]


def _arguments(order: Order, settings: DockerSettings) -> list[str]:
    odd = [f"{n}={v}" for n, v in order.environment.items() if n != "PATH" and not is_plain({n: v})]
    return [
        order.folder,
        f"{order.umask:04o}",
        order.environment.get("PATH", STANDARD_PATH),
        order.output,
        *(["env", *odd] if odd else []),
        settings.shell_path,
        COMMAND,
    ]


def _own_mounts(order: Order, mounts: Sequence[DockerMount]) -> list[dict[str, Any]]:
    """The folders of log and work, unless the configuration has something else there."""
    taken = {mount.target.rstrip("/") for mount in mounts}
    folders = dict.fromkeys(folder.rstrip("/") for folder in order.folders)
    files = order.files
    own = [
        _bind(files.chain, CHAIN),
        _bind(files.permit, PERMIT, read_only=True),
        _bind(files.command, COMMAND, read_only=True),
        _bind(files.passwd, "/etc/passwd", read_only=True),
        _bind(files.group, "/etc/group", read_only=True),
    ]
    if files.spool:
        own.append(_bind(files.spool, OUTPUT))
    return own + [_bind(folder, folder) for folder in folders if folder and folder not in taken]


def _bind(
    source: str, target: str, *, read_only: bool = False, propagation: str = "rprivate"
) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": propagation},
    }


def _mount(mount: DockerMount) -> dict[str, Any]:
    if mount.typ == "bind":
        propagation = mount.bind_propagation
        return _bind(mount.source, mount.target, read_only=mount.read_only, propagation=propagation)
    made = {"Type": mount.typ, "Target": mount.target, "ReadOnly": mount.read_only}
    return made if mount.typ == "tmpfs" else {**made, "Source": mount.source}


def _processors(reservation: Reservation) -> dict[str, Any]:
    """Pinned to what it has, else by weight."""
    if reservation.threads:
        return {"CpusetCpus": ",".join(map(str, reservation.threads))}
    shares = reservation.points * _SHARES_OF_A_CORE // 100
    return {"CpuShares": min(max(shares, _LEAST_SHARES), _MOST_SHARES)}


def _memory(spec: FrameSpec) -> dict[str, int]:
    """Swap is no way around the limit."""
    limit, reserved = spec.hard_memory_limit << 10, spec.soft_memory_limit << 10
    made = {}
    if limit:
        limit = max(limit, _LEAST_MEMORY)
        made = {"Memory": limit, "MemorySwap": limit}
    if reserved:
        reserved = max(reserved, _LEAST_MEMORY)
        made["MemoryReservation"] = min(reserved, limit) if limit else reserved
    return made


def _limits(settings: DockerSettings) -> dict[str, int]:
    made = {"PidsLimit": settings.pids_limit, "ShmSize": settings.shm_size}
    return {name: limit for name, limit in made.items() if limit}


def _ulimit(name: str, text: str) -> dict[str, Any]:
    soft, _, hard = text.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def _device(text: str) -> dict[str, str]:
    path, _, inside = text.partition(":")
    return {
        "PathOnHost": path,
        "PathInContainer": inside or path,
        "CgroupPermissions": "rwm",
    }


def _gpus(reservation: Reservation, settings: DockerSettings) -> dict[str, Any]:
    """As ``docker run --gpus device=...``; what it takes is the engine's NVIDIA runtime."""
    if not settings.gpus or not reservation.gpus:
        return {}
    devices = [gpu.uuid for gpu in reservation.gpus]
    return {
        "DeviceRequests": [
            {"Driver": "nvidia", "DeviceIDs": devices, "Capabilities": [["gpu"]]},
        ]
    }
