"""Logs to Loki are not built yet: a request that wants one gets a file, and people get a word."""

from __future__ import annotations

from rqd.frame.spec import FrameSpec
from rqd.log import Logger


class LokiNotice:
    """Says it once, not for each frame; the address isn't told, since it may hold a password."""

    log = Logger()

    def __init__(self) -> None:
        self._said = False

    def heed(self, spec: FrameSpec) -> None:
        """A frame is about to be taken."""
        if spec.loki_url and not self._said:
            self._said = True
            self.log.warn(
                "loki_url is set, but logs can't go to Loki yet: they go to files, said once"
                " frame_id={frame_id} log_dir={log_dir}",
                frame_id=spec.frame_id,
                log_dir=spec.log_dir,
            )
