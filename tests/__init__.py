"""The suite. Whatever it starts inherits what is set here: no test can reboot this machine.

With the first variable an agent takes stand-ins for the commands that reboot and restart, and
nothing else, configured or not (``rqd.host.commands``); without the others it doesn't think that
systemd runs it, whoever runs the suite.
"""

from __future__ import annotations

import os

os.environ["OPENRQD_STAND_INS_ONLY"] = "1"
for _name in ("INVOCATION_ID", "SYSTEMD_EXEC_PID", "NOTIFY_SOCKET"):
    os.environ.pop(_name, None)
