"""Frames in containers: the engine, images, what a container is made of, and frames' lives there.

Imported only where ``runner.run_on_docker`` is on, or frames in containers are found at the start.
"""
