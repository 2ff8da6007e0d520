"""What the keys of the classic agent's INI file are here (facts: SPEC §7, upstream's samples)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

Value = object
Convert = Callable[[str], Value]


class Here(NamedTuple):
    """A key's counterpart: its path, and what makes its value of the old text.

    ``convert`` raises ValueError with a sentence. ``default`` is what the classic agent took where
    its file said nothing, as text, if openrqd takes something else. ``remark`` is what differs.
    """

    path: str
    convert: Convert
    default: str | None = None
    remark: str = ""


_BOOLEANS: Final = {
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}
_LEVELS: Final = {"WARNING": "warn", "NOTSET": "debug"}


def boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(f"expected yes or no, not {text!r}") from None


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, not {text!r}") from None


def plain(text: str) -> str:
    if not text:
        raise ValueError("expected a value")
    return text


def words(text: str) -> list[str]:
    return text.split()


def _kibibytes(text: str) -> str:
    return f"{whole(text)}KiB"


def _seconds(text: str) -> str:
    return f"{whole(text)}s"


def _level(text: str) -> str:
    return _LEVELS.get(text.upper(), text.lower())


def mount(text: str) -> dict[str, str]:
    """One mount in the words of ``docker run``, in which ``:`` may stand for ``=``."""
    found: dict[str, str] = {}
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or match[1] not in _MOUNT:
            raise ValueError(f"no part of a mount: {part!r}")
        found[_MOUNT[match[1]]] = match[2]
    if "target" not in found:
        raise ValueError(f"a mount without a target: {text!r}")
    return found


_PART: Final = re.compile(r"([a-z-]+)\s*[:=]\s*(.*)")
_MOUNT: Final = {
    "type": "typ",
    "source": "source",
    "src": "source",
    "target": "target",
    "dst": "target",
    "destination": "target",
    "bind-propagation": "bind_propagation",
}

#: Keys that others depend on.
NIMBY, DESKTOP = "OVERRIDE_NIMBY", "OVERRIDE_IS_DESKTOP"
ALL_VARIABLES: Final = "RQD_USE_ALL_HOST_ENV_VARS"

#: Keys of ``[Override]`` with a counterpart. Cuebot's address and port are one setting here.
COUNTERPARTS: Final[Mapping[str, Here]] = {
    "CONSOLE_LOG_LEVEL": Here("logging.level", _level),
    "RQD_GRPC_PORT": Here("grpc.rqd_port", whole),
    "OVERRIDE_CORES": Here(
        "machine.override_real_values.cores",
        whole,
        remark=", physical cores; the classic agent divides it by the threads of a core",
    ),
    "OVERRIDE_PROCS": Here("machine.override_real_values.procs", whole),
    "OVERRIDE_MEMORY": Here("machine.override_real_values.memory_size", _kibibytes),
    DESKTOP: Here("machine.override_real_values.workstation_mode", boolean),
    "OVERRIDE_HOSTNAME": Here("machine.override_real_values.hostname", plain),
    "SP_OS": Here("machine.override_real_values.os", plain, "Linux"),
    "RQD_USE_IP_AS_HOSTNAME": Here("machine.use_ip_as_hostname", boolean, "yes"),
    "RQD_USE_IPV6_AS_HOSTNAME": Here("machine.use_ipv6_as_hostname", boolean),
    "DEFAULT_FACILITY": Here("machine.facility", plain),
    "RQD_TAGS": Here("machine.custom_tags", words),
    NIMBY: Here("machine.nimby_mode", boolean),
    "MINIMUM_IDLE": Here("machine.nimby_idle_threshold", _seconds),
    "RQD_DISPLAY_PATH": Here("machine.nimby_display_file_path", plain),
    "RQD_BECOME_JOB_USER": Here("runner.run_as_user", boolean),
    "LAUNCH_FRAME_USER_GID": Here("runner.default_gid", whole),
    "RQD_USE_PATH_ENV_VAR": Here("runner.use_host_path_env_var", boolean),
    ALL_VARIABLES: Here("runner.use_all_host_env_vars", boolean),
    "RQD_PREPEND_TIMESTAMP": Here("runner.prepend_timestamp", boolean, "no"),
    "JOB_LOG_MAX_SIZE_IN_BYTES": Here("runner.log_max_size", whole),
}
#: The two that make Cuebot's endpoints together.
CUEBOT, CUEBOT_PORT = "OVERRIDE_CUEBOT", "CUEBOT_GRPC_PORT"

#: Keys of ``[docker.config]`` with a counterpart.
OF_CONTAINERS: Final[Mapping[str, Here]] = {
    "RUN_ON_DOCKER": Here("runner.run_on_docker", boolean),
    "DOCKER_SHELL_PATH": Here("docker.shell_path", plain),
    "DOCKER_GPU_MODE": Here("docker.gpus", boolean),
}

#: Keys without a counterpart, and why none is missed.
WITHOUT: Final[Mapping[str, str]] = {
    "FILE_LOG_LEVEL": "there is one log; logging.file_appender sends it to a file",
    "GPU": "GPUs are found where NVIDIA's driver is",
    "LOAD_MODIFIER": "the load is reported as it is",
    "RQD_NETWORK_INTERFACE": "the address is the one by which Cuebot is reached;"
    " machine.override_real_values.hostname sets another name",
    "USE_NIMBY_PYNPUT": "how a user is noticed is not chosen by a library",
    "CHECK_INTERVAL_LOCKED": "a locked host is free again as soon as its user was idle for long",
    "SENTRY_DSN_PATH": "errors are in the log, with logging.json as objects",
    "RQD_CUSTOM_HOME_PREFIX": "HOME isn't set for frames; jobs can set it",
    "RQD_CUSTOM_MAIL_PREFIX": "MAIL isn't set for frames; jobs can set it",
    "BACKUP_CACHE_PATH": "frames are found again after every restart (runner.snapshots_path)",
    "BACKUP_CACHE_TIME_TO_LIVE_SECONDS": "frames are found again after every restart",
}

#: What else is another by default: told where the old file has nothing to decide it.
DIFFERENCES: Final[Mapping[str, str]] = {
    "logging.level": "info by default; the classic agent's is warning",
    "machine.custom_tags": "no tag rqdv-… unless it is named here",
    "runner.run_as_user": "while it is false, frames run as the agent's user: root, in a service",
    "runner.kill_monitor_timeout": "a frame that is killed has 30 s to end; the classic agent ends"
    " it at once",
}
