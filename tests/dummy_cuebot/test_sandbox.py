"""The checks of the demo: each must see what is wrong."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from sandbox import results, stage, traces
from sandbox.results import Movie, Wrong

PLAYED = """
  Duration: 00:00:03.02, start: 0.000000, bitrate: 1999 kb/s
  Stream #0:0: Video: h264
  Stream #0:1: Audio: aac
frame=   10 fps=0.0 q=-0.0\rframe=   72 fps=0.0 q=-0.0 Lsize=N/A
"""


class Results(SynchronousTestCase):
    def test_movie_facts(self) -> None:
        """Duration, decoded frames and sound are read from what ffmpeg says."""
        self.assertEqual(results.movie_facts(PLAYED), Movie(3.02, 72, True))

    def test_no_movie(self) -> None:
        """Words without a movie in them are an error, not a movie of nothing."""
        self.assertRaises(Wrong, results.movie_facts, "No such file")

    def test_wrong_movies(self) -> None:
        """Too few frames, a wrong length and silence are seen."""
        results.check_movie(Movie(3.02, 72, True), frames=72, duration=3)
        for movie in (Movie(3, 71, True), Movie(2.8, 72, True), Movie(3, 72, False)):
            self.assertRaises(Wrong, results.check_movie, movie, frames=72, duration=3)

    def test_png(self) -> None:
        """The size is in the PNG's header; anything else isn't a PNG."""
        header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\5\x14\0\0\1\x74"
        self.assertEqual(results.png_size(header), (1300, 372))
        self.assertRaises(Wrong, results.png_size, b"")
        self.assertRaises(Wrong, results.png_size, b"JFIF" * 10)

    def test_scores(self) -> None:
        """The log's score must be the report's, and good enough."""
        log = results.score_of_log("[12:00:00] [Parsed @ 0x1] VMAF score: 94.773590\n")
        report = results.score_of_report('{"pooled_metrics": {"vmaf": {"mean": 94.77359}}}')
        results.check_scores(log, report, least=80)
        self.assertRaises(Wrong, results.check_scores, log, 94.0, least=80)
        self.assertRaises(Wrong, results.check_scores, log, report, least=95)
        self.assertRaises(Wrong, results.score_of_log, "no score")
        for text in ("", "{}", '{"pooled_metrics": []}'):
            self.assertRaises(Wrong, results.score_of_report, text)


class Traces(SynchronousTestCase):
    def process(self, pid: int, cmdline: bytes, environ: bytes, cwd: str) -> None:
        folder = Path(self.proc, str(pid))
        folder.mkdir(parents=True)
        (folder / "cmdline").write_bytes(cmdline)
        (folder / "environ").write_bytes(environ)
        (folder / "cwd").symlink_to(cwd)

    def setUp(self) -> None:
        self.proc = self.mktemp()

    def test_processes(self) -> None:
        """A process is found by command line, environment or folder, and nobody else is."""
        self.process(101, b"sh\0/run-x/script\0", b"", "/")
        self.process(102, b"sleep\0", b"A=1\0logfile=/run-x/log\0", "/")
        self.process(103, b"tail\0", b"", "/run-x/work")
        self.process(104, b"editor\0", b"HOME=/home\0", "/home")
        Path(self.proc, "105").mkdir()
        self.assertEqual(
            traces.processes("/run-x", self.proc),
            {101: "sh /run-x/script", 102: "sleep", 103: "tail"},
        )

    def test_ports(self) -> None:
        """A port is open while somebody listens."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            self.assertEqual(traces.open_ports([port]), [port])
        self.assertEqual(traces.open_ports([port]), [])

    def test_files(self) -> None:
        """Files are counted from the given depth on."""
        root = Path(self.mktemp())
        os.makedirs(root / "frames" / "one")
        (root / "locks").touch()
        self.assertEqual(traces.files(root), ["frames", "frames/one", "locks"])
        self.assertEqual(traces.files(root, depth=2), ["frames/one"])

    def test_free_ports(self) -> None:
        """The ports of a stage differ."""
        self.assertEqual(len(set(stage.free_ports(20))), 20)
