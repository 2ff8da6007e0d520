"""The packages under test, and what an upgrade would bring."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.environments import run


def one_version_up(package: Path, folder: Path) -> Path:
    """The same package with a higher version, in a folder."""
    with tempfile.TemporaryDirectory() as unpacked:
        run("dpkg-deb", "--raw-extract", package, unpacked)
        control = Path(unpacked, "DEBIAN", "control")
        text = re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.MULTILINE)
        control.write_text(text)
        newer = folder / package.name.replace("_all", "+next_all")
        run("dpkg-deb", "--root-owner-group", "--build", unpacked, newer)
    return newer
