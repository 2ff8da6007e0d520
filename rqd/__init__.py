"""openrqd: the agent that runs OpenCue frames on a render host."""

from __future__ import annotations

# The only place that holds the version; the build reads it from here.
__version__ = "0.1.0"
