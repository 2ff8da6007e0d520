"""Who is at the display."""

from __future__ import annotations

from types import SimpleNamespace

import psutil
from twisted.trial.unittest import SynchronousTestCase

from rqd.host.logins import at_display


class LoginTests(SynchronousTestCase):
    """``at_display``, of what the system's account holds."""

    def people(self, *terminals: str | None) -> list[str]:
        users = [SimpleNamespace(name="ada", terminal=terminal) for terminal in terminals]
        self.patch(psutil, "users", lambda: users)
        return at_display()

    def test_display(self) -> None:
        """X displays, seats, and the consoles of this machine are at the display."""
        found = self.people(":0", ":1.0", "seat0", "tty2")
        self.assertEqual(found, ["ada on :0", "ada on :1.0", "ada on seat0", "ada on tty2"])

    def test_elsewhere(self) -> None:
        """Remote logins and serial lines are not, nor is what has no line at all."""
        self.assertEqual(self.people("pts/0", "ttyS0", "", None, "host:0", "console"), [])

    def test_really(self) -> None:
        """The real account can be read, wherever the suite runs."""
        self.assertIsInstance(at_display(), list)
