"""Requests for a fuzzed agent: any method, any bytes, and nothing that could do harm."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from google.protobuf.message import DecodeError
from hypothesis import strategies as st

from rqd.proto import rqd_pb2
from tests.integration import wire_messages as wire
from tests.integration.methods import ENDINGS, METHODS, Method

#: All that a fuzzed frame may run.
COMMANDS = (
    "true",
    "exit 3",
    "",
    "kill -9 $$",
    "echo x; sleep 0.5",
    "trap '' TERM; echo x; sleep 0.5",
)

#: Requests of a batch that hypothesis builds by itself.
_BASES = 8
#: Frames that are asked for by name again and again, so that some run.
_FRAMES = 12

Request = tuple[Method, bytes]

_BY_NAME: Mapping[str, Method] = {method.name: method for method in METHODS}
_OF_A_FRAME = frozenset({"OK", "INVALID_ARGUMENT", "NOT_FOUND"})
_OF_THE_HOST = frozenset({"OK", "INVALID_ARGUMENT"})
_LEGAL: Mapping[str, frozenset[str]] = {
    "LaunchFrame": frozenset(
        {"OK", "INVALID_ARGUMENT", "ALREADY_EXISTS", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"}
    ),
    "GetRunFrame": _OF_A_FRAME,
    "GetRunningFrameStatus": _OF_A_FRAME,
    "Kill": _OF_A_FRAME,
    "KillRunningFrame": _OF_A_FRAME,
    "Status": _OF_A_FRAME,
    # A NimbyOff may come in between.
    "NimbyOn": _OF_THE_HOST | {"FAILED_PRECONDITION"},
}


def legal(method: Method) -> frozenset[str]:
    """Names of the statuses that a method may answer with while the agent goes on."""
    return _LEGAL.get(method.name, _OF_THE_HOST)


class Requests:
    """Strategies of requests to an agent whose frames may log below ``folder`` only."""

    def __init__(self, folder: str) -> None:
        self._log_dirs = (folder, f"{folder}/a/b", f"{folder}/{'x' * 300}", "", "relative", "/\0")
        names = st.one_of(st.sampled_from(["job", "0001-layer", "ü"]).map(str.encode), wire.texts)
        known = st.integers(0, _FRAMES - 1).map(lambda number: b"f%d" % number)
        ids = st.one_of(known, known, known, wire.texts)
        cores = st.one_of(st.sampled_from([1, 10, 100, 150, 800, 7000]), wire.numbers)
        self._values: dict[str, st.SearchStrategy[bytes]] = {
            "rqd.RunFrame.command": st.sampled_from(COMMANDS).map(str.encode),
            "rqd.RunFrame.log_dir": st.sampled_from(self._log_dirs).map(str.encode),
            "rqd.RunFrame.job_name": names,
            "rqd.RunFrame.frame_name": names,
            "rqd.RunFrame.num_cores": cores.map(wire.varint),
        }
        for message in ("RunFrame", "RqdStaticKillRunningFrameRequest"):
            self._values[f"rqd.{message}.frame_id"] = ids
        for message in ("GetRunFrame", "GetRunningFrameStatus"):
            self._values[f"rqd.RqdStatic{message}Request.frame_id"] = ids
        right = st.one_of(*map(self._of, METHODS), *[self._launch()] * 12)
        bases = st.lists(right, min_size=1, max_size=_BASES)
        self.batches = st.builds(self._batch, bases, st.integers(0, (1 << 32) - 1))

    def _batch(self, bases: list[Request], seed: int) -> list[Request]:
        """The requests, and around each some variations: hypothesis alone would be slow."""
        chance = Random(seed)
        batch = [(_BY_NAME["UnlockAll"], b"")]  # or else nearly every launch would be too large
        for method, message in bases:
            batch += [(method, message), (method, wire.damaged(message, chance))]
            batch.append((chance.choice(METHODS), chance.choice((message, chance.randbytes(20)))))
        return list(map(self._harmless, batch))

    def to(self, method: Method) -> st.SearchStrategy[bytes]:
        """Messages of the method's type."""
        return wire.fields(method.request.DESCRIPTOR, self._values)

    def _of(self, method: Method) -> st.SearchStrategy[Request]:
        return st.tuples(st.just(method), self.to(method))

    def _launch(self) -> st.SearchStrategy[Request]:
        """Launches that are right but for some more fields, which win: many of these run."""
        frame = st.builds(self._frame, st.integers(0, _FRAMES - 1), st.sampled_from(COMMANDS))
        more = wire.fields(rqd_pb2.RunFrame.DESCRIPTOR, self._values, many=2)
        whole = st.builds(lambda *parts: wire.counted(1, b"".join(parts)), frame, more)
        return st.tuples(st.just(_BY_NAME["LaunchFrame"]), whole)

    def _frame(self, number: int, command: str) -> bytes:
        return rqd_pb2.RunFrame(
            resource_id=f"r{number}",
            frame_id=f"f{number}",
            job_name="job",
            frame_name=f"{number:04d}-layer",
            command=command,
            log_dir=self._log_dirs[0],
            num_cores=10,
        ).SerializeToString()

    def _harmless(self, request: Request) -> Request:
        """Launches of what isn't ours, and what would end the agent, ask for something else."""
        method, message = request
        if method.name == "LaunchFrame" and not self._launches_ours(message):
            return _BY_NAME["Kill"], message
        if method.name in ENDINGS and _readable(method, message):
            return _BY_NAME["ReportStatus"], message
        return request

    def _launches_ours(self, message: bytes) -> bool:
        """Damage may have made another command, or another folder."""
        try:
            frame = rqd_pb2.RqdStaticLaunchFrameRequest.FromString(message).run_frame
        except DecodeError:
            return True
        return frame.command in COMMANDS and frame.log_dir in self._log_dirs


def _readable(method: Method, message: bytes) -> bool:
    try:
        method.request.FromString(message)
    except DecodeError:
        return False
    return True
