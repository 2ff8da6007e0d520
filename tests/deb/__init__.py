"""The package, installed where systemd runs: ``make test-deb``, outside of the suite.

Trees of Debian 12 and 13 are booted in a network of their own, with control groups of both kinds.
``python -m tests.deb`` makes the trees, then runs the scenarios (``scenarios.py``) in each, side by
side.
"""
