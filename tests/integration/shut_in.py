"""An agent that can do no harm: shell commands that its mount namespace begins with.

For tests that ask an agent for anything at all. Only its own folder can be written to, so that no
log lands elsewhere, and the programs that end a machine do nothing.
"""

from __future__ import annotations

import os
from typing import Any

_NO_HARM = """\
for name in reboot shutdown poweroff halt telinit systemctl; do
    path=$(PATH=$PATH:/usr/sbin:/sbin command -v $name) || continue
    mount --bind /bin/false "$(readlink -f "$path")"
done
mount --bind $folder $folder
for place in / /tmp /mcp; do
    ! mountpoint -q $place || mount -o remount,bind,ro $place
done
"""


def shut_in() -> dict[str, Any]:
    """Arguments for ``on_agent``. Nothing has to be shut in of who isn't root."""
    return {"before": _NO_HARM, "mounts": True} if os.geteuid() == 0 else {}
