"""The host as a whole: locks, NIMBY, hardware state, reboots, shutdowns and restarts.

``standing`` owns what is so, ``record`` and ``keeping`` carry it over a restart of the agent,
``nimby`` and ``departures`` act. Knows ``system`` and ``frame``; messages and gRPC are elsewhere.
"""
