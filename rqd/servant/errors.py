"""Which gRPC status a caller gets for what went wrong.

Statuses are kept by name, because grpc itself is imported only once the server starts: twistd
forks before that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rqd.refusals import (
    AlreadyRunning,
    Denied,
    InvalidRequest,
    NotEnough,
    Refused,
    Unavailable,
    UnknownFrame,
    WrongState,
)

if TYPE_CHECKING:
    import grpc

#: A status travels in a header, and a header that is too long (8 KiB) loses the whole answer. One
#: character may take 12 bytes there.
MAX_DETAIL = 500

#: Every refusal is definite: the caller can tell from the status alone whether to try again.
STATUS_NAMES: Mapping[type[Refused], str] = {
    Refused: "FAILED_PRECONDITION",
    InvalidRequest: "INVALID_ARGUMENT",
    AlreadyRunning: "ALREADY_EXISTS",
    NotEnough: "RESOURCE_EXHAUSTED",
    WrongState: "FAILED_PRECONDITION",
    UnknownFrame: "NOT_FOUND",
    Denied: "PERMISSION_DENIED",
    Unavailable: "UNAVAILABLE",
}


def status_name(refusal: Refused) -> str:
    """The status of the nearest class in the table, so a subclass is answered like its parent."""
    return next(STATUS_NAMES[each] for each in type(refusal).__mro__ if each in STATUS_NAMES)


def wire_detail(refusal: Refused) -> str:
    """Its sentence, as long as a header can bear, and encodable also if it quotes file names.

    What is too long quotes the request somewhere in the middle: both ends say more.
    """
    detail = refusal.detail
    if len(detail) > MAX_DETAIL:
        detail = f"{detail[: MAX_DETAIL // 2]}...{detail[-MAX_DETAIL // 2 :]}"
    return detail.encode(errors="replace").decode()


def status_code(name: str) -> grpc.StatusCode:
    """gRPC's own value for ``name``; only called while a call is served, so grpc is there."""
    import grpc

    return grpc.StatusCode[name]
