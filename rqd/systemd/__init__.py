"""What the agent says to systemd, and asks of it, where systemd runs it.

Nothing of this is imported elsewhere: ``NOTIFY_SOCKET`` is what tells the two apart, and for the
log ``JOURNAL_STREAM``.
"""
