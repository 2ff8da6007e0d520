"""Tells twistd about the ``openrqd`` service; imports nothing of it until it is asked for."""

from __future__ import annotations

from twisted.application.service import ServiceMaker

openrqd = ServiceMaker("openrqd", "rqd.tap", "OpenCue render-host agent", "openrqd")
