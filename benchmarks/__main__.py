"""Entry of `python -m benchmarks`.

The driver starts programs while gRPC's threads run, so gRPC's fork hooks are turned off before
anything imports it; agents don't inherit the setting (see session).
"""

from __future__ import annotations

import os
import sys

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

from benchmarks.run import main

sys.exit(main(sys.argv[1:]))
