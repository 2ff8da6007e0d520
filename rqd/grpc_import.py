"""The one way to gRPC: imported late, and told first not to meddle with forks."""

from __future__ import annotations

import os
from typing import Any


def load_grpc() -> Any:
    """Import grpc, late: it is slow, and nothing of it may be there before twistd has forked.

    Its fork support must be off before that: handlers around each fork of the agent would wait
    for grpc's threads. What it says on stderr, the
    agent's log says already (``report.outage``, ``servant.server``).
    """
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    import grpc

    return grpc
