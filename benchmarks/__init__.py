"""The bench: openrqd and the classic agent, measured side by side in one run.

`python -m benchmarks` prepares itself, measures, and writes docs/benchmarks.md. The way through
the modules is the way of a run: options, prepare, schedule, session, measures/*, rows, summary,
document. It runs in openrqd's own virtual environment; the classic agent has one of its own.
Every clock is CLOCK_MONOTONIC, which the driver, the cuebot peer and the frames share.
"""
