"""What a SIGHUP changes in the rooms; imported at the first one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rqd.log import set_threshold
from rqd.rereading import Rereading

if TYPE_CHECKING:
    from rqd.assembly.frames import Frames
    from rqd.assembly.ground import Ground
    from rqd.assembly.machine import Machine
    from rqd.assembly.watch import Watch
    from rqd.config import Loaded, Settings
    from rqd.report.sending import Sending
    from rqd.systemd.attendant import Attendant

#: What of the terms of frames may change while the agent runs. The kill ladder's times may not:
#: the stop of the service is bounded by them, and systemd is told of that bound.
LIVE_TERMS = (
    "runner.desktop_mode",
    "runner.log_exit_status_rules",
    "runner.log_scan_last_lines",
    "runner.prepend_timestamp",
    "runner.shell_path",
)


def rereading(
    ground: Ground,
    load: Callable[[], Loaded],
    *,
    machine: Machine,
    sending: Sending,
    frames: Frames,
    watch: Watch,
    attendant: Attendant | None,
) -> Rereading:
    """``load`` reads the configuration in a worker."""

    def turn_to_cuebots(settings: Settings) -> None:
        sending.turn_to(settings.grpc.cuebot_endpoints)

    def pace(settings: Settings) -> None:
        interval = settings.machine.monitor_interval
        sending.pace(interval)
        watch.pace(interval)
        machine.gpus.pace(interval)

    def protect(settings: Settings) -> None:
        watch.protection.margin = settings.machine.memory_oom_margin_percentage

    return Rereading(
        ground.settings,
        read=partial(ground.workers.run_for, "configuration", load),
        effects={
            "logging.level": lambda settings: set_threshold(settings.logging.level),
            "grpc.cuebot_endpoints": turn_to_cuebots,
            "machine.monitor_interval": pace,
            "machine.memory_oom_margin_percentage": protect,
            **dict.fromkeys(LIVE_TERMS, frames.come_to_terms),
        },
        begins=attendant.reloading if attendant else lambda: None,
        ended=attendant.reloaded if attendant else lambda trouble: None,
    )
