"""What the agent answers when it cannot do as asked.

A refusal is part of the contract, not a failure of the agent: its class says which definite
gRPC status the caller gets (``rqd.servant.errors``), its text is a sentence that a wrangler
can act on. Any room may raise one; only the servant knows about status codes.
"""

from __future__ import annotations


class Refused(Exception):
    """The base of all refusals; ``detail`` is the sentence that crosses the wire."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InvalidRequest(Refused):
    """The request is malformed: sending it again cannot help."""


class AlreadyRunning(Refused):
    """A frame of this id runs here."""


class NotEnough(Refused):
    """There are not enough free cores or GPUs."""


class WrongState(Refused):
    """The host does not take this now: its state, a lock, a pending shutdown."""


class UnknownFrame(Refused):
    """No such frame runs here. Cuebot takes this as proof, so it must be true."""


class Denied(Refused):
    """The caller may not do this."""


class Unavailable(Refused):
    """The agent is stopping, or does not serve this."""
