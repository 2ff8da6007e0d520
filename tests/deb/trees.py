"""Trees of Debian releases to boot, made once and kept: systemd, and all that the package needs.

What it needs lies in a repository inside the tree, so that apt really resolves and installs it,
without a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.environments import SOURCE_TREE, run

CACHE = SOURCE_TREE / ".cache" / "deb"
#: What a tree is made with, besides Debian's essential packages.
_INCLUDED = "systemd,systemd-sysv,dbus"
_REPOSITORY = "/srv/repository"
#: Changed when a tree is made in another way: trees of before are not used any more.
_RECIPE = 1


def tree(release: str, packages: Sequence[Path]) -> Path:
    """The tree of a release in which ``packages`` (and no older versions) can be installed."""
    needs = ", ".join(sorted(_needs(package) for package in packages))
    digest = hashlib.sha256(f"{_RECIPE} {_INCLUDED} {needs}".encode()).hexdigest()[:12]
    made = CACHE / f"{release}-{digest}"
    if not made.exists():
        for old in CACHE.glob(f"{release}-*"):
            shutil.rmtree(old)
        _make(release, packages, made)
    return made


def _make(release: str, packages: Sequence[Path], target: Path) -> None:
    """Made beside, so that a tree is whole or not there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = CACHE / f"unfinished-{release}"
    shutil.rmtree(unfinished, ignore_errors=True)
    names = " ".join(f"/srv/{package.name}" for package in packages)
    copies = [f"--customize-hook=copy-in {package} /srv" for package in packages]
    fetch = (
        f"mkdir -p {_REPOSITORY}/partial && apt-get install -y --no-install-recommends"
        f" --download-only -o Dir::Cache::archives={_REPOSITORY} {names}"
        f" && rm -rf {_REPOSITORY}/partial {_REPOSITORY}/lock {names}"
    )
    hook = f"--customize-hook=chroot \"$1\" sh -c '{fetch}'"
    included = f"--include={_INCLUDED}"
    run(
        *("mmdebstrap", "--quiet", "--variant=minbase", included, *copies, hook),
        *(release, unfinished, mirror()),
    )
    repository = Path(f"{unfinished}{_REPOSITORY}")
    with open(repository / "Packages", "wb") as index:
        subprocess.run(
            ["dpkg-scanpackages", "--multiversion", "."],
            cwd=repository,
            stdout=index,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    (unfinished / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{_REPOSITORY} ./\n")
    (unfinished / "etc/hostname").write_text("render042\n")
    (unfinished / "etc/hosts").write_text("127.0.0.1 localhost render042\n")
    (unfinished / "etc/resolv.conf").write_text("")
    run("chroot", unfinished, "useradd", "--uid", "1001", "--create-home", "artist")
    os.rename(unfinished, target)


def _needs(package: Path) -> str:
    """What a package depends on; its own version doesn't matter."""
    text = run("dpkg-deb", "--field", package, "Depends", "Pre-Depends", "Recommends")
    return re.sub(r"\s+", " ", text)


def mirror() -> str:
    """The Debian archive that this machine uses itself."""
    sources = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    for path in sources:
        if path.is_file():
            for found in re.findall(r"https?://\S+/debian/?(?=\s|$)", path.read_text()):
                return str(found)
    raise AssertionError("this machine's apt sources name no archive of Debian")
