"""What the host is and how it does: topology, reservations, samples of host and frames.

Nothing here knows protobuf or gRPC. Each sampler takes the root folder or the path that it
reads, so that a folder of made-up files is as good a host as any.
"""
