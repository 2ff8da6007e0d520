"""The gRPC server, the bridge from its threads to the reactor, and refusals as status codes."""
