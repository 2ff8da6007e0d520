"""What the configuration says of frames, as their life wants to have it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from rqd.frame.environment import HostEnvironment, host_environment
from rqd.frame.ladder import UNKILLABLE, Grace
from rqd.frame.site import Terms
from rqd.logging.rules import ExitStatusRule
from rqd.system.gpus import by_index, by_uuid

if TYPE_CHECKING:
    from rqd.config import Settings


def terms(settings: Settings, umask: int, descriptors: int) -> Terms:
    """How frames run here."""
    runner = settings.runner
    return Terms(
        shell=runner.shell_path,
        folder=runner.temp_path,
        umask=umask,
        descriptors=descriptors,
        nice=runner.desktop_mode,
        timestamps=runner.prepend_timestamp,
        grace=Grace(
            timeout=runner.kill_monitor_timeout,
            interval=runner.kill_monitor_interval,
            force=runner.force_kill_after_timeout,
            limit=min(UNKILLABLE, max(1.0, runner.kill_monitor_timeout)),
        ),
        scan_lines=runner.log_scan_last_lines,
        rules=tuple(
            ExitStatusRule.of(rule.name, rule.regex, rule.exit_status)
            for rule in runner.log_exit_status_rules
        ),
    )


def surroundings(
    settings: Settings, name: str, free_gpu_memory: Callable[[], int]
) -> HostEnvironment:
    """What every frame's environment has of this host."""
    runner = settings.runner
    environment = host_environment(
        name,
        os.environ,
        use_path=runner.use_host_path_env_var,
        use_all=runner.use_all_host_env_vars,
        names=runner.host_env_vars,
    )
    return environment._replace(
        free_gpu_memory=free_gpu_memory,
        gpu_name={"index": by_index, "uuid": by_uuid}[runner.gpu_names],
    )
