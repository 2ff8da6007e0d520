"""Python stubs of the messages in `proto/`, generated at build time by `setup.py`, never edited."""

from __future__ import annotations
