"""What Cuebot hears from this host.

A reader who follows one report passes the files in this order: ``messages`` (facts to protobuf),
``presence``, ``announcer`` and ``heartbeat`` (the host: its start, then its status), ``outbox``
and ``queue`` (the ends of frames), ``interface`` (the three calls), ``cuebot`` (which Cuebot) and
``connection`` (one gRPC channel). ``backoff`` and ``outage`` are shared: how long to wait after a
failure, and how to speak of it once.
"""
