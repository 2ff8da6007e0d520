"""``python -m tests.deb``: the scenarios on each kind of machine; status 1 if any fails.

They run side by side, each with a network and mounts of its own, so that ports don't collide. Its
output goes to ``.cache/test-deb-<release>-<view>.log``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.deb import trees
from tests.deb.machine import HYBRID, LEGACY, TREES, UNIFIED
from tests.environments import SOURCE_TREE

#: What is there to meet. Debian 13 does without version 1 alone.
KINDS = {"bookworm": (UNIFIED, HYBRID, LEGACY), "trixie": (UNIFIED, HYBRID)}
#: Seconds that one kind of machine may take.
LIMIT = 660.0
_TOOLS = ("mmdebstrap", "systemd-nspawn", "dpkg-scanpackages", "dpkg-deb", "unshare", "ip")
#: Own network, mounts and processes: when it ends, however it does, all of it has ended.
_ALONE = ("unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child")
_SCENARIOS = "tests.deb.scenarios"


class Kind(NamedTuple):
    """A kind of machine, and the process that looks at it."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]


def main() -> int:
    """The exit status."""
    if lacking := ", ".join(what_is_lacking()):
        say(f"the package can't be tested on this machine, it lacks: {lacking}")
        return int(os.environ.get("CI") == "true")
    for left in trees.CACHE.glob("machine-*"):  # by a run that was killed
        shutil.rmtree(left)
    began = time.monotonic()
    kinds = [
        start(release, view)
        for release, views in KINDS.items()
        for view in (views if len(TREES) > 1 else (UNIFIED,))
    ]
    failed = [kind.name for kind in kinds if not passes(kind, began)]
    say(f"{len(kinds)} kinds of machines, {time.monotonic() - began:.0f} s")
    if failed:
        say(f"failed: {', '.join(failed)}")
    return int(bool(failed))


def what_is_lacking() -> Iterator[str]:
    """In words."""
    if os.geteuid() != 0:
        yield "root"
    yield from (tool for tool in _TOOLS if shutil.which(tool) is None)
    if not all(os.access(tree, os.W_OK) for tree in TREES):
        yield "control groups that can be written to"
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "overlayfs"
    if not all(packages(release) for release in KINDS):
        yield "packages (make deb)"


def packages(release: str) -> list[Path]:
    """Those that ``make deb`` built for a release, of each the newest."""
    built = (SOURCE_TREE / "build" / "deb" / release).glob("*.deb")
    newest = sorted(built, key=lambda package: package.stat().st_mtime)
    return list({package.name.partition("_")[0]: package for package in newest}.values())


def start(release: str, view: str) -> Kind:
    """Make the tree if need be, then let the scenarios begin."""
    name = f"{release}-{view}"
    found = packages(release)
    environ = {
        **os.environ,
        "OPENRQD_DEB_TREE": str(trees.tree(release, found)),
        "OPENRQD_DEB_VIEW": view,
        "OPENRQD_DEB_PACKAGES": " ".join(map(str, found)),
    }
    trial = [sys.executable, "-m", "twisted.trial", "--temp-directory", f".cache/trial-deb-{name}"]
    alone = [*_ALONE, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    log = SOURCE_TREE / ".cache" / f"test-deb-{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*alone, *trial, _SCENARIOS],
            cwd=SOURCE_TREE,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Kind(name, log, process)


def passes(kind: Kind, began: float) -> bool:
    """Wait for it, and show what it said: figures, or all where it failed."""
    try:
        status = kind.process.wait(max(1.0, began + LIMIT - time.monotonic()))
    except subprocess.TimeoutExpired:
        kind.process.kill()
        status = kind.process.wait()
        say(f"{kind.name}: ended after {LIMIT:.0f} s")
    text = kind.log.read_text(errors="replace")
    lines = text.splitlines() if status else [x for x in text.splitlines() if "FIGURE" in x]
    for line in lines:
        say(f"{kind.name}: {line.rpartition('FIGURE ')[2]}")
    say(f"{kind.name}: {text.strip().splitlines()[-1] if text.strip() else 'nothing was said'}")
    return status == 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
