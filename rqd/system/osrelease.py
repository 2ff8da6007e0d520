"""The name of the operating system, by which Cuebot matches jobs and hosts."""

from __future__ import annotations

import shlex

UNKNOWN_OS = "unknown"
"""Sent rather than nothing: Cuebot takes a host without ``SP_OS`` for an ancient ``rhel40``."""


def read_os_name(distro_release_path: str) -> str:
    """``ID`` of an ``os-release`` file, else ``unknown``: no host is worthless for lack of it."""
    try:
        with open(distro_release_path, encoding="utf-8", errors="replace") as release:
            return _id(release.read()) or UNKNOWN_OS
    except OSError:
        return UNKNOWN_OS


def _id(text: str) -> str:
    for line in text.splitlines():
        name, _, value = line.strip().partition("=")
        if name == "ID":
            return _unquoted(value)
    return ""


def _unquoted(value: str) -> str:
    """The value as a shell would read it, which is how the format is defined."""
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return value.strip("\"' ")
