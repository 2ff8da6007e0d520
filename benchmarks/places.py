"""Where the bench finds and keeps things."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent
TREE = HERE.parent
CACHE = TREE / ".cache" / "bench"
SOURCES = HERE / "csrc"
TEMPLATES = HERE / "conf"
STOPWATCH = HERE / "stopwatch.py"
PROGRAMS = CACHE / "bin"
STAMP = PROGRAMS / "stamp"
SPEW = PROGRAMS / "spew"
CLASSIC_VENV = CACHE / "classic"
RESULTS = CACHE / "results"
DOCUMENT = TREE / "docs" / "benchmarks.md"
CHART = TREE / "docs" / "benchmarks.svg"
GROWTH_CHART = TREE / "docs" / "benchmarks-growth.svg"
