"""YAML texts as files, for the tests of the configuration."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rqd.config import ConfigurationError, Loaded, load


def write(case: SynchronousTestCase, text: str, name: str = "rqd.yaml") -> str:
    """Write a file into a folder of its own; returns its absolute path."""
    folder = os.path.abspath(case.mktemp())
    os.makedirs(folder)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def loaded(case: SynchronousTestCase, text: str = "", **variables: str) -> Loaded:
    """Load a YAML text under an environment that holds nothing else than these variables."""
    return load(write(case, text), {"HOME": "/home/artist", **variables})


def problems(case: SynchronousTestCase, text: str = "", **variables: str) -> list[str]:
    """What is wrong with a YAML text, without the file's name at the end of each line."""
    path = write(case, text)
    caught = case.assertRaises(
        ConfigurationError, load, path, {"HOME": "/home/artist", **variables}
    )
    return [each.replace(f" ({path})", "").replace(path, "FILE") for each in caught.problems]
