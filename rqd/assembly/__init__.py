"""The rooms, each put together of its parts, for ``rqd.service``, which puts the rooms together.

What needs only its own room is assembled there (``report.sending``, ``host.room``). Here is what
would make a room know others: ``ground`` (what all stand on), ``machine`` (the host, measured),
``frames``, ``watch`` (frames, measured). The rest is imported where it is needed, and not before:
``attendance`` under systemd, ``effects`` at a SIGHUP.
"""
