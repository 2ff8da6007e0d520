"""Frames as processes of the host pass the contract of places (containers: ``tests.docker``)."""

from __future__ import annotations

from tests.integration.agent import on_agent
from tests.integration.place_contract import place_contract


class HostPlaceTests(place_contract(on_agent)):  # type: ignore[misc]
    """Berths."""
