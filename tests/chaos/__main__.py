"""``python -m tests.chaos``: one run, in a mount namespace of its own; status 1 if it was bad.

``OPENRQD_CHAOS_SEED``, ``_SECONDS``, ``_FRAMES``, ``_KILLS`` and ``_RATE`` set it (``options.py``).
"""

from __future__ import annotations

import os
import sys

#: gRPC must not meddle with forks; the agents have their own word on that.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
_ALONE = "OPENRQD_CHAOS_ALONE"


def main() -> None:
    """Begin again in a namespace, so that no mount outlives the run, whatever becomes of it."""
    if os.environ.pop(_ALONE, None) is None:
        os.environ[_ALONE] = "1"
        command = ["unshare", "--mount", sys.executable, "-m", "tests.chaos"]
        os.execvp(command[0], command)
    from tests.chaos.options import options
    from tests.chaos.run import run

    sys.exit(0 if run(options()) else 1)


if __name__ == "__main__":
    main()
