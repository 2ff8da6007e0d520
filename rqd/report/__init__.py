"""What Cuebot hears from this host.

A reader who follows one report passes the files in this order: ``messages`` (facts to protobuf),
``presence``, ``announcer`` and ``heartbeat`` (the host: its start, then its status), ``outbox``,
``queue``, ``shelf`` and ``pace`` (the ends of frames: which is next, where it waits, when it
goes), ``interface`` (the three calls), ``cuebot`` (which Cuebot) and ``connection`` (one gRPC
channel). ``backoff`` and ``outage`` are shared: how long to wait after a failure, and how to speak
of it once.
"""
