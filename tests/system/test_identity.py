"""A process is known by more than its pid."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rqd.system.identity import ProcessIdentity, boot_id, identity
from tests.system.fake_proc import FakeProc


class IdentityTests(SynchronousTestCase):
    """``identity``."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.proc.write("sys/kernel/random/boot_id", "b00t\n")

    def test_alive(self) -> None:
        """A process is its pid, its start and the boot, even with a name made to confuse."""
        self.proc.process(42, name="a) S 1 (b", start_ticks=777)
        self.assertEqual(identity(42, self.proc.root), ProcessIdentity(42, 777, "b00t"))

    def test_reused_pid(self) -> None:
        """Another process of the same pid is another."""
        self.proc.process(42, start_ticks=777)
        before = identity(42, self.proc.root)
        self.proc.process(42, start_ticks=778)
        self.assertNotEqual(identity(42, self.proc.root), before)

    def test_gone(self) -> None:
        """There is no identity where there is no process."""
        self.assertIsNone(identity(42, self.proc.root))

    def test_zombie(self) -> None:
        """A zombie is dead."""
        self.proc.process(42, state="Z")
        self.assertIsNone(identity(42, self.proc.root))

    def test_first_thread_ended(self) -> None:
        """One whose first thread alone has ended looks like a zombie, and lives."""
        self.proc.process(42, state="Z", threads=2)
        self.assertIsNotNone(identity(42, self.proc.root))

    def test_no_boot_id(self) -> None:
        """Where the kernel names no boot its id is empty."""
        self.proc.remove("sys/kernel/random/boot_id")
        self.assertEqual(boot_id(self.proc.root), "")
