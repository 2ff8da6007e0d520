"""One launch on an agent under test: its request, its end, its log."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rqd.proto import report_pb2, rqd_pb2
from tests.integration.log_frames import STAMP, read, until

if TYPE_CHECKING:
    from tests.integration.farm import FakeCuebot

_INDENT = 18
_RULE = b"=" * 59 + b"\n"


class Launched:
    """A frame that an agent took; ``request`` is the RunFrame that it was sent."""

    def __init__(self, request: rqd_pb2.RunFrame, cuebot: FakeCuebot) -> None:
        self.request = request
        self.id = request.frame_id
        self._cuebot = cuebot

    def completions(self) -> list[report_pb2.FrameCompleteReport]:
        """What Cuebot took of this launch, and no other of the same frame."""
        resource = self.request.resource_id
        return [r for r in self._cuebot.completions if r.frame.resource_id == resource]

    async def end(self) -> report_pb2.FrameCompleteReport:
        """Wait for the completion."""
        (report,) = await self._cuebot.wait_for(lambda _: self.completions(), 60.0)
        return report

    async def ended(self) -> tuple[int, int]:
        """Wait for the end: exit status and signal."""
        report = await self.end()
        return report.exit_status, report.exit_signal

    async def printed(self) -> bytes:
        """Wait for the end, and return what the frame printed."""
        await self.end()
        return self.output

    async def says(self, text: bytes, patience: float = 30.0) -> None:
        """Wait until the frame has printed the text (its command, in the header, may hold it)."""
        await until(lambda: text in b"".join(self.log.split(_RULE, 2)[2:]), patience)

    # -- the log -------------------------------------------------------------------------------

    @property
    def log_path(self) -> str:
        request = self.request
        return f"{request.log_dir}/{request.job_name}.{request.frame_name}.rqlog"

    @property
    def log(self) -> bytes:
        """The whole log as it is now."""
        return read(self.log_path)

    @property
    def header(self) -> bytes:
        return self.log.split(_RULE, 2)[1]

    @property
    def stamped(self) -> bytes:
        """What is between header and footer."""
        return self.log.split(_RULE, 2)[2].rpartition(_RULE + b"Render Frame Completed")[0]

    @property
    def output(self) -> bytes:
        """What the frame printed, the times taken off."""
        return STAMP.sub(b"", self.stamped)

    @property
    def footer(self) -> bytes:
        return self.log.rpartition(_RULE + b"Render Frame Completed\n")[2]

    def footer_value(self, name: str) -> str:
        """What the footer says of one thing, without the indent of further lines."""
        found = re.search(rf"(?m)^{name}(?: +(.*(?:\n +.*)*))?$", self.footer.decode())
        if found is None:
            raise AssertionError(f"the footer says nothing of {name}:\n{self.footer.decode()}")
        return (found[1] or "").replace("\n" + " " * _INDENT, "\n")


class Gate:
    """A place where frames wait until the test lets them on: ``read < path`` in a shell."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.mkfifo(path)
        os.chmod(path, 0o666)
        self._end = os.open(path, os.O_RDWR)

    def open(self) -> None:
        """Let one frame pass, once."""
        os.write(self._end, b"\n")

    def close(self) -> None:
        """Clean-up."""
        os.close(self._end)
