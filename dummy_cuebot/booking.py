"""A job's frame as the request that a Cuebot would send for it. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dummy_cuebot.ids import Ids
from dummy_cuebot.job import Job
from dummy_cuebot.schedule import Frame
from dummy_cuebot.templates import fill
from rqd.proto import rqd_pb2

# A Cuebot lets a frame use this much more than its layer's memory: before it is in danger when
# memory is short, and at all.
SOFT_LIMIT, HARD_LIMIT = 1.6, 2.0


@dataclass(frozen=True, slots=True)
class Booker:
    """Builds requests for the frames of one run of ``job``; ``clock`` gives epoch seconds."""

    job: Job
    ids: Ids = field(default_factory=Ids)
    clock: Callable[[], float] = time.time

    @property
    def job_name(self) -> str:
        job = self.job
        return f"{job.show}-{job.shot}-{job.user}_{job.name}"

    @property
    def log_dir(self) -> str:
        job = self.job
        return f"{job.log_root}/{job.show}/{job.shot}/logs/{self.job_name}--{self.ids.job}"

    def request(self, frame: Frame, resource_id: str) -> Any:
        """The RunFrame for one launch; each launch has a ``resource_id`` of its own."""
        layer = frame.layer
        return rqd_pb2.RunFrame(
            resource_id=resource_id,
            job_id=self.ids.job,
            job_name=self.job_name,
            frame_id=frame.frame_id,
            frame_name=frame.name,
            layer_id=self.ids.layer(layer.name),
            command=fill(layer.command, self._braces(frame)),
            user_name=self.job.user,
            log_dir=self.log_dir,
            show=self.job.show,
            shot=self.job.shot,
            start_time=int(self.clock() * 1000),
            uid=self.job.uid,
            num_cores=layer.cores,
            environment={**self._environment(frame), **layer.environment},
            soft_memory_limit=int(layer.memory * SOFT_LIMIT),
            hard_memory_limit=int(layer.memory * HARD_LIMIT),
        )

    def _braces(self, frame: Frame) -> dict[str, str]:
        layer, number = frame.layer, frame.number
        return {
            "job": self.job_name,
            "layer": layer.name,
            "frame": str(number),
            "frame_end": str(min(number + layer.chunk - 1, layer.last)),
            "zframe": f"{number:04d}",
            "chunk": str(layer.chunk),
        }

    def _environment(self, frame: Frame) -> dict[str, str]:
        layer = frame.layer
        return {
            "CUE3": "1",
            "CUE_CHUNK": str(layer.chunk),
            "CUE_FRAME": frame.name,
            "CUE_FRAME_ID": frame.frame_id,
            "CUE_GPUS": "0",
            "CUE_GPU_MEMORY": "0",
            "CUE_IFRAME": str(frame.number),
            "CUE_JOB": self.job_name,
            "CUE_JOB_ID": self.ids.job,
            "CUE_LAYER": layer.name,
            "CUE_LAYER_ID": self.ids.layer(layer.name),
            "CUE_LOG_PATH": self.log_dir,
            "CUE_MEMORY": str(layer.memory),
            "CUE_RANGE": f"{layer.first}-{layer.last}",
            "CUE_SHOT": self.job.shot,
            "CUE_SHOW": self.job.show,
            "CUE_THREADABLE": str(int(layer.threadable)),
            "CUE_THREADS": str(max(1, layer.cores // 100)),
            "CUE_USER": self.job.user,
        }
