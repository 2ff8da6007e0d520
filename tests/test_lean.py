"""Tests for putting off the loading of modules."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase


def run(program: str) -> str:
    """What a fresh interpreter prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class PutOffTests(SynchronousTestCase):
    """``put_off``."""

    def test_not_loaded(self) -> None:
        """Whoever only names the module doesn't load what it needs."""
        program = (
            "import sys; from rqd.lean import put_off; put_off('http.cookiejar')\n"
            "from http import cookiejar; print('http.client' in sys.modules)"
        )
        self.assertEqual(run(program), "False")

    def test_loaded_when_used(self) -> None:
        """Whoever uses it has it whole."""
        program = (
            "from rqd.lean import put_off; put_off('http.cookiejar')\n"
            "from http import cookiejar; print(len(cookiejar.CookieJar()))"
        )
        self.assertEqual(run(program), "0")

    def test_already_there(self) -> None:
        """What is loaded stays as it is."""
        program = (
            "import http.cookiejar as first; from rqd.lean import put_off\n"
            "put_off('http.cookiejar'); import http.cookiejar as second; print(first is second)"
        )
        self.assertEqual(run(program), "True")
