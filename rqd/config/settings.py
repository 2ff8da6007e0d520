"""
Every setting: its name, type, default, validator and meaning, each in one place.

The names are the keys of the YAML file. Durations are seconds (float), sizes are bytes (int).
The classes are frozen, so parts may share them freely; give each part the narrowest slice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from voluptuous import Invalid

from rqd.config import values
from rqd.config.endpoints import endpoint, endpoints, host, interface
from rqd.config.keys import entries_key, items_key, key, list_key, path_key, required, section
from rqd.config.units import format_duration, format_size

#: Linux's highest uid and gid; one above means "unchanged" to the kernel.
_HIGHEST_ID: Final = 2**32 - 2
_INT32: Final = 2**31 - 1


def _duration(default: float, doc: str, accept: values.Validator = values.pace) -> Any:
    return key(default, accept, doc, format_duration)


def _matching(pattern: str, expected: str) -> values.Validator:
    """Text of one form."""

    def accept(value: object) -> str:
        if not re.fullmatch(pattern, found := values.plain(value), re.ASCII):
            raise Invalid(f"expected {expected}")
        return found

    return accept


def _show_memory(size: int | None) -> object:
    return None if size is None else format_size(size)


def _show_command(command: tuple[str, ...] | None) -> object:
    return None if command is None else list(command)


@dataclass(frozen=True)
class LoggingSettings:
    """The agent's own log, not that of the frames."""

    level: str = key(
        "info",
        values.one_of("debug", "info", "warn", "error", "critical", warning="warn", trace="debug"),
        "least severity that is logged: debug, info, warn, error or critical",
    )
    path: str = path_key("/var/log/openrqd/rqd.log", "the log file, where file_appender is on")
    file_appender: bool = key(False, values.boolean, "log to the file instead of stdout")
    json: bool = key(False, values.boolean, "one JSON object a line instead of text")


@dataclass(frozen=True)
class GrpcSettings:
    """Where the agent listens, and how it speaks to Cuebot."""

    rqd_port: int = key(8444, values.integer(1, 65535), "port on which Cuebot calls this agent")
    rqd_interface: str = key("all", interface, "address to listen on, or all")
    cuebot_endpoints: tuple[str, ...] = list_key(
        ("localhost:8443",),
        endpoint,
        "Cuebots as host:port; without a port, 8443",
        whole=endpoints,
    )
    connection_expires_after: float = _duration(
        3600.0, "age at which the connection is closed and a Cuebot is chosen anew"
    )
    backoff_delay_min: float = _duration(0.01, "wait before the first retry of a failed call")
    backoff_delay_max: float = _duration(60.0, "longest wait between two retries")
    backoff_jitter_percentage: float = key(
        10, values.number(0, 100), "random part of each wait, in percent"
    )
    backoff_retry_attempts: int = key(
        20, values.integer(0, _INT32), "retries of one call before it counts as failed"
    )


@dataclass(frozen=True)
class OverrideRealValues:
    """What to report in place of what was found; what is unset is found."""

    cores: int | None = key(None, values.integer(1, 100_000), "physical cores of the host")
    procs: int | None = key(None, values.integer(1, 100_000), "processors (sockets) of the host")
    memory_size: int | None = key(None, values.amount, "total memory", _show_memory)
    workstation_mode: bool | None = key(
        None, values.boolean, "whether the host is somebody's workstation"
    )
    hostname: str | None = key(None, host, "name under which Cuebot knows and calls the host")
    os: str | None = key(None, values.text, "operating system, as jobs ask for it (SP_OS)")


@dataclass(frozen=True)
class MachineSettings:
    """The host: what it is called, how it is measured, when it belongs to its user."""

    monitor_interval: float = _duration(5.0, "time between two status reports")
    frame_complete_delivery_interval: float = _duration(
        5.0, "time between two attempts to deliver completions that Cuebot has not acknowledged"
    )
    frame_complete_send_timeout: float = _duration(30.0, "deadline of one completion report")
    use_ip_as_hostname: bool = key(False, values.boolean, "report the IP address as the name")
    use_ipv6_as_hostname: bool = key(False, values.boolean, "report the IPv6 address as the name")
    use_fqdn: bool = key(False, values.boolean, "report the fully qualified name")
    facility: str = key("cloud", values.text, "facility that the host belongs to")
    custom_tags: tuple[str, ...] = list_key((), values.text, "tags beside those found")
    core_multiplier: int = key(100, values.integer(1, 10_000), "points of one core")
    cpuinfo_path: str = path_key("/proc/cpuinfo", "where the processors are read")
    distro_release_path: str = path_key("/etc/os-release", "where the system's name is read")
    proc_stat_path: str = path_key("/proc/stat", "where the boot time is read")
    proc_loadavg_path: str = path_key("/proc/loadavg", "where the load is read")
    temp_path: str = path_key("/tmp", "folder whose file system is reported as temp storage (mcp)")
    memory_oom_margin_percentage: float = key(
        96,
        values.number(0, 100),
        "used memory, in percent, above which the worst frames end; 0 or 100 is off",
    )
    worker_threads: int = key(4, values.integer(1, 256), "threads of the gRPC server")
    nimby_mode: bool = key(False, values.boolean, "the user at the screen comes first")
    nimby_lock_by_default: bool = key(
        False, values.boolean, "start locked until activity was seen and has ended"
    )
    nimby_idle_threshold: float = _duration(900.0, "idle time after which the host is free again")
    nimby_start_retry_interval: float = _duration(
        300.0, "time between two attempts to start activity detection"
    )
    nimby_display_file_path: str | None = path_key(
        None, "file whose last line is user:display or display"
    )
    nimby_display_xauthority_path: str | None = path_key(
        None, "X authority file; {username} stands for the user at the display"
    )
    nimby_activity_file: str | None = path_key(
        None, "file that says active or idle: whether somebody uses the host"
    )
    reboot_command: tuple[str, ...] | None = key(
        None, values.command, "command that reboots the machine", _show_command
    )
    restart_command: tuple[str, ...] | None = key(
        None, values.command, "command that restarts the agent", _show_command
    )
    override_real_values: OverrideRealValues = field(
        default_factory=OverrideRealValues,
        metadata=section(OverrideRealValues, "facts to report in place of what was found"),
    )


@dataclass(frozen=True)
class DockerMount:
    """One mount of every container."""

    target: str = required(values.absolute_path, "path inside the container")
    source: str = key("", values.plain, "path on the host or volume name; nothing for a tmpfs")
    typ: str = key("bind", values.one_of("bind", "volume", "tmpfs"), "bind, volume or tmpfs")
    bind_propagation: str = key(
        "rprivate",
        values.one_of("private", "rprivate", "shared", "rshared", "slave", "rslave"),
        "how mounts made later show through",
    )
    read_only: bool = key(False, values.boolean, "whether containers can't write there")


@dataclass(frozen=True)
class ExitStatusRule:
    """Another exit status for a frame that failed with a certain message."""

    name: str = required(values.text, "what the log calls the rule")
    regex: str = required(values.pattern, "searched in each of the last lines of the log")
    exit_status: int = required(values.integer(0, _INT32), "reported in place of the real one")


def _mount(found: dict[str, Any]) -> DockerMount:
    mount = DockerMount(**found)
    if mount.typ == "bind" and not mount.source.startswith("/"):
        raise Invalid("expected an absolute source for a bind mount")
    if mount.typ == "volume" and not mount.source:
        raise Invalid("expected a source that names the volume")
    return mount


def _rule(found: dict[str, Any]) -> ExitStatusRule:
    return ExitStatusRule(**found)


@dataclass(frozen=True)
class RunnerSettings:
    """How frames run, end and log."""

    run_on_docker: bool = key(False, values.boolean, "run frames in containers")
    default_uid: int = key(1000, values.integer(1, _HIGHEST_ID), "uid of frames that bring none")
    default_gid: int = key(20, values.integer(1, _HIGHEST_ID), "gid of frames that bring none")
    prepend_timestamp: bool = key(True, values.boolean, "begin each log line with its time")
    use_host_path_env_var: bool = key(False, values.boolean, "give frames this host's PATH")
    use_all_host_env_vars: bool = key(
        False, values.boolean, "give frames the agent's whole environment"
    )
    host_env_vars: tuple[str, ...] = list_key(
        (), values.variable_name, "variables that frames get from the agent's environment"
    )
    gpu_names: str = key(
        "index", values.one_of("index", "uuid"), "how CUDA_VISIBLE_DEVICES names a frame's GPUs"
    )
    desktop_mode: bool = key(False, values.boolean, "run frames with a lower priority (nice)")
    run_as_user: bool = key(False, values.boolean, "run each frame as its own user")
    temp_path: str = path_key("$TMPDIR", "working folder of frames")
    shell_path: str = path_key("/bin/bash", "shell that runs commands", relative=False)
    snapshots_path: str = path_key(
        "$HOME/.rqd/snapshots", "state folder: what a restarted agent finds its frames by"
    )
    kill_monitor_interval: float = _duration(1.0, "time between two looks at a frame being ended")
    kill_monitor_timeout: float = _duration(
        30.0, "grace between the request to end and force", values.duration
    )
    force_kill_after_timeout: bool = key(
        True, values.boolean, "end by force what is left after the grace"
    )
    log_max_size: int = key(
        2**30, values.size, "size at which a frame's log ends the frame; 0 is off", format_size
    )
    loki_allowed_hosts: tuple[str, ...] = list_key(
        (), host, "only hosts that logs may be sent to; none means any"
    )
    docker_default_image: str = key(
        "ubuntu:latest", values.plain, "image for frames without a match; nothing refuses them"
    )
    docker_images: Mapping[str, str] = entries_key(values.text, "image by operating system")
    docker_mounts: tuple[DockerMount, ...] = items_key(
        DockerMount, _mount, "mounts of every container"
    )
    log_scan_last_lines: int = key(
        50, values.integer(0, 1_000_000), "lines that exit status rules search"
    )
    log_exit_status_rules: tuple[ExitStatusRule, ...] = items_key(
        ExitStatusRule, _rule, "exit statuses by message; the first match wins"
    )
    log_exit_status_rules_reload_interval: float = _duration(
        300.0, "time between two looks at the file for new rules; 0 is off", values.duration
    )


_CAPABILITY: Final = _matching(r"[A-Z_]+", "the name of a capability, like SYS_PTRACE")


@dataclass(frozen=True)
class DockerSettings:
    """The container engine and what all containers get, where C{runner.run_on_docker} is on."""

    socket: str = key(
        "unix:///var/run/docker.sock",
        _matching(r"(unix|tcp|http)://\S+", "an address like unix:///var/run/docker.sock"),
        "where the engine listens, on this host",
    )
    api_version: str = key(
        "auto",
        _matching(r"auto|\d+\.\d+", "auto, or a version like 1.41 in quotes"),
        "version of its API, or auto: what both know",
    )
    timeout: float = _duration(60.0, "how long it may take to answer one call")
    retry_interval: float = _duration(5.0, "time between two looks for an engine that is away")
    pull: str = key(
        "missing",
        values.one_of("never", "missing", "always"),
        "when images are fetched from their registry: never, missing or always",
    )
    pull_timeout: float = _duration(3600.0, "how long a frame waits for its image")
    shell_path: str = key(
        "/bin/sh", values.absolute_path, "shell inside containers that runs commands"
    )
    network: str = key(
        "host",
        _matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]*", "host, none, bridge or the name of a network"),
        "network of containers: host, none, bridge or a name",
    )
    hostname: str = key(
        "",
        _matching(r"([A-Za-z0-9][A-Za-z0-9.-]{0,62})?", "a hostname, or nothing"),
        "hostname inside containers on other networks than the host's",
    )
    init: bool = key(True, values.boolean, "a small init is pid 1 of each container")
    pids_limit: int = key(
        0, values.integer(0, _INT32), "processes and threads of one container; 0 is no limit"
    )
    shm_size: int = key(
        0, values.size, "size of /dev/shm in containers; 0 is the engine's default", format_size
    )
    ulimits: Mapping[str, str] = entries_key(
        _matching(r"-?\d{1,18}(:-?\d{1,18})?", "soft:hard or one number, in quotes"),
        "resource limits as soft:hard or one number, by name (nofile, core)",
    )
    devices: tuple[str, ...] = list_key(
        (),
        _matching(r"/[^:]*(:/[^:]*)?", "path, or path:path inside"),
        "devices of the host for containers: path or path:path inside",
    )
    cap_add: tuple[str, ...] = list_key((), _CAPABILITY, "capabilities that containers get")
    cap_drop: tuple[str, ...] = list_key((), _CAPABILITY, "capabilities that containers lose")
    security_opt: tuple[str, ...] = list_key(
        (),
        _matching(r"[\w-]+([=:]\S+)?", "an option like no-new-privileges or label=disable"),
        "security options of the engine (no-new-privileges, label=disable)",
    )
    privileged: bool = key(False, values.boolean, "run containers with the host's privileges")
    gpus: bool = key(
        True, values.boolean, "give a container the GPUs that are reserved for its frame"
    )


@dataclass(frozen=True)
class Settings:
    """Everything that can be set."""

    logging: LoggingSettings = field(
        default_factory=LoggingSettings, metadata=section(LoggingSettings, "the agent's own log")
    )
    grpc: GrpcSettings = field(
        default_factory=GrpcSettings, metadata=section(GrpcSettings, "calls from and to Cuebot")
    )
    machine: MachineSettings = field(
        default_factory=MachineSettings, metadata=section(MachineSettings, "the host")
    )
    runner: RunnerSettings = field(
        default_factory=RunnerSettings, metadata=section(RunnerSettings, "frames")
    )
    docker: DockerSettings = field(
        default_factory=DockerSettings, metadata=section(DockerSettings, "frames in containers")
    )
