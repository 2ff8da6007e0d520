"""Why a log could not be opened, in words that help on a farm. Blocks: for workers only."""

from __future__ import annotations

import errno
import os
import stat

from rqd.logging.mounttable import MountTable

_HINTS = {
    errno.ESTALE: "The NFS handle is stale: the export was moved, replaced or deleted on the "
    "server. Unmount and mount it again on this host.",
    errno.EACCES: "NFS exports with root_squash treat root as nobody: the folder must then be "
    "writable for others, or frames must run as their user.",
    errno.EROFS: "The file system is mounted read-only, or became so after an error.",
    errno.ENOSPC: "The file system has no space or no inodes left.",
    errno.EDQUOT: "The quota of this user or group is used up.",
    errno.EIO: "The storage failed, or a soft NFS mount gave up waiting for its server.",
    errno.ENAMETOOLONG: "The name made of job and frame is longer than the file system takes.",
    errno.ELOOP: "Too many symbolic links on the way.",
}


def explain(path: str, error: BaseException, mountinfo: str = "/proc/self/mountinfo") -> str:
    """Several lines: the error, who the agent is, what the deepest existing folder allows."""
    lines = [
        f"The log {path} cannot be opened.",
        f"Error: {_error(error)}",
        f"Agent: effective uid {os.geteuid()}, gid {os.getegid()}",
    ]
    lines += _folder(os.path.dirname(path))
    lines += _mount(path, MountTable(mountinfo))
    hint = _HINTS.get(getattr(error, "errno", None) or 0)
    return "\n".join(lines + ([f"Hint: {hint}"] if hint else []))


def _error(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    name = errno.errorcode.get(number, str(number)) if number else type(error).__name__
    what = getattr(error, "strerror", None) or str(error)
    where = getattr(error, "filename", None)
    return f"{name}, {what}" + (f" ({where})" if where else "")


def _folder(folder: str) -> list[str]:
    missing = False
    while True:
        try:
            facts = os.stat(folder)
        except (FileNotFoundError, NotADirectoryError):
            missing = True
        except (OSError, ValueError) as error:
            return [f"Folder: {folder} cannot be examined: {_error(error)}"]
        else:
            break
        if folder in ("/", ""):
            return ["Folder: the path is not absolute"]
        folder = os.path.dirname(folder)
    can_write = os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
    return [
        f"Folder: {folder}" + (" (the deepest that exists)" if missing else ""),
        f"  owner uid {facts.st_uid}, gid {facts.st_gid}, mode {stat.filemode(facts.st_mode)}, "
        + ("writable" if can_write else "not writable")
        + " for the agent",
    ]


def _mount(path: str, table: MountTable) -> list[str]:
    try:
        mount = table.mount_of(path)
    except OSError as error:
        return [f"File system: unknown ({_error(error)})"]
    finally:
        table.close()
    return [f"File system: {mount.fstype} from {mount.source}, mounted at {mount.point}"]
