"""Frames in real containers: ``make test-docker``. Outside of the suite, as it needs an engine."""
