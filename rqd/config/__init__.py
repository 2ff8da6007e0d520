"""
Configuration: a file, environment variables and defaults become frozen, typed settings.

L{load} is the whole interface. Read L{rqd.config.settings} for what can be set.
"""

from __future__ import annotations

from rqd.config.errors import ConfigurationError
from rqd.config.loading import Loaded, load
from rqd.config.settings import Settings

__all__ = ["ConfigurationError", "Loaded", "Settings", "load"]
