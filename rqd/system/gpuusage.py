"""GPU memory of frames: what the driver says of processes, summed over those of each frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rqd.system.usage import FrameUsage


class GpuUsage:
    """Adds GPU memory to what was sampled of frames, and keeps the most of each."""

    def __init__(self) -> None:
        self._most: dict[str, int] = {}

    def know(self, key: str, most: int) -> None:
        """Go on from what an earlier agent saw of a frame; KiB."""
        if most:
            self._most[key] = most

    def add(
        self, usages: Mapping[str, FrameUsage], by_pid: Mapping[int, int]
    ) -> Mapping[str, FrameUsage]:
        """The same usages with GPU memory; ``by_pid`` is that of processes, in KiB.

        A process belongs to the frame that it was sampled in, by cgroup or session. Frames that
        are no longer among ``usages`` are forgotten.
        """
        if not by_pid and not self._most:
            return usages
        used = {
            key: sum(by_pid.get(process.pid, 0) for process in usage.processes)
            for key, usage in usages.items()
        }
        most = {key: max(now, self._most.get(key, 0)) for key, now in used.items()}
        self._most = {key: amount for key, amount in most.items() if amount}
        return {
            key: _with_gpu(usage, used[key], most[key]) if key in self._most else usage
            for key, usage in usages.items()
        }


def _with_gpu(usage: FrameUsage, used: int, most: int) -> FrameUsage:
    """GPU memory is told beside what is remembered to be told, which stays as it is."""
    added = replace(usage, gpu=used, max_gpu=most)
    added.remember(usage.told)
    return added
