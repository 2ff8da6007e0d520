"""What the production made, measured: the movie, the contact sheet, the VMAF scores."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)")
_FRAMES = re.compile(r"frame=\s*(\d+)")
_SCORE = re.compile(r"VMAF score: (\d+(?:\.\d+)?)")
_PNG = b"\x89PNG\r\n\x1a\n"


class Wrong(Exception):
    """A result isn't what it has to be; the text says which and how."""


@dataclass(frozen=True, slots=True)
class Movie:
    """``duration`` in seconds; ``frames`` as decoded, not as promised by the container."""

    duration: float
    frames: int
    audio: bool


def movie_facts(told: str) -> Movie:
    """Reads what ffmpeg says while it decodes a movie."""
    duration, frames = _DURATION.search(told), _FRAMES.findall(told)
    if not duration or not frames:
        raise Wrong(f"ffmpeg can't play the movie: {told.strip()[-300:]}")
    hours, minutes, seconds = duration.groups()
    return Movie(
        duration=int(hours) * 3600 + int(minutes) * 60 + float(seconds),
        frames=int(frames[-1]),
        audio="Audio: " in told,
    )


def play(ffmpeg: str, path: Path) -> Movie:
    """Decodes the whole movie."""
    done = subprocess.run(
        [ffmpeg, "-nostdin", "-hide_banner", "-xerror", "-i", path, "-f", "null", "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise Wrong(f"ffmpeg can't play {path}: {done.stderr.strip()[-300:]}")
    return movie_facts(done.stderr)


def check_movie(movie: Movie, *, frames: int, duration: float) -> None:
    if movie.frames != frames:
        raise Wrong(f"the movie has {movie.frames} frames, expected {frames}")
    if abs(movie.duration - duration) > 0.1:
        raise Wrong(f"the movie lasts {movie.duration:g} s, expected {duration:g} s")
    if not movie.audio:
        raise Wrong("the movie has no sound")


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height from a PNG's header."""
    if len(data) < 24 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        raise Wrong("the contact sheet isn't a PNG")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def score_of_log(log: str) -> float:
    """The score that ffmpeg printed, from the frame's log."""
    found = _SCORE.findall(log)
    if not found:
        raise Wrong("no VMAF score in the frame's log")
    return float(found[-1])


def score_of_report(text: str) -> float:
    """The mean of the report that libvmaf wrote."""
    try:
        return float(json.loads(text)["pooled_metrics"]["vmaf"]["mean"])
    except (ValueError, KeyError, TypeError):
        raise Wrong("libvmaf's report holds no score") from None


def check_scores(log: float, report: float, *, least: float) -> None:
    if abs(log - report) > 0.001:
        raise Wrong(f"the log says VMAF {log}, libvmaf's report says {report}")
    if log < least:
        raise Wrong(f"VMAF {log} is under {least}")
