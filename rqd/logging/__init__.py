"""Frame logs: header, timestamps, rotation, size limit, exit-status rules; the agent's own log.

What blocks (the log folder may be a dead NFS mount) runs in ``mounts.MountWorkers``; everything
else lives on the reactor. Nothing here knows about processes or protobuf.
"""
