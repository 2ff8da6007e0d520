"""The small facts: load, swap-out rate, boot time, system, name."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import MachineSettings, OverrideRealValues
from rqd.system.boottime import read_boot_time
from rqd.system.load import read_load
from rqd.system.network import SystemNames, report_name
from rqd.system.osrelease import read_os_name
from rqd.system.swapout import SwapoutRate
from tests.system.fake_proc import BOOT_TIME, FakeProc


class LoadTests(SynchronousTestCase):
    """``read_load``."""

    def test_points(self) -> None:
        """The 1-minute load in points, divided by the threads of a core."""
        path = FakeProc(self.mktemp()).write("loadavg", "12.57 3.00 2.00 5/1234 99\n")
        self.assertEqual(read_load(path, threads_per_core=1), 1257)
        self.assertEqual(read_load(path, threads_per_core=2), 628)

    def test_no_load(self) -> None:
        """A file that tells no load is refused by name."""
        for text in ("", "\n", "x 1 2", "nan 1 2", "inf 1 2", "-1 1 2"):
            path = FakeProc(self.mktemp()).write("loadavg", text)
            problem = self.assertRaises(ValueError, read_load, path, threads_per_core=1)
            self.assertIn(path, str(problem), text)


class SwapoutTests(SynchronousTestCase):
    """``SwapoutRate``."""

    def setUp(self) -> None:
        self.proc = FakeProc(self.mktemp())
        self.clock = Clock()
        self.swapped(1000)
        self.rate = SwapoutRate(self.proc.root + "/vmstat", monotonic=self.clock.seconds)

    def swapped(self, pages: int) -> None:
        """So many pages since boot."""
        self.proc.write("vmstat", f"nr_free_pages 5\npswpin 77\npswpout {pages}\nzswpout 3\n")

    def test_first(self) -> None:
        """Before any time has passed there is no rate."""
        self.assertEqual(self.rate.sample(), 0)

    def test_rate(self) -> None:
        """Pages per second between the samples, as a whole number."""
        self.clock.advance(4)
        self.swapped(1010)
        self.assertEqual(self.rate.sample(), 2)
        self.clock.advance(5)
        self.assertEqual(self.rate.sample(), 0)

    def test_samples_in_a_row(self) -> None:
        """A second sample within a second shows the rate of the first."""
        self.clock.advance(5)
        self.swapped(1500)
        self.assertEqual(self.rate.sample(), 100)
        self.clock.advance(0.1)
        self.swapped(9999)
        self.assertEqual(self.rate.sample(), 100)

    def test_counter_that_falls(self) -> None:
        """A counter that went back gives no negative rate."""
        self.clock.advance(5)
        self.swapped(0)
        self.assertEqual(self.rate.sample(), 0)

    def test_kernel_without_swap(self) -> None:
        """A kernel that has no such counter swaps nothing."""
        self.proc.write("vmstat", "nr_free_pages 5\n")
        rate = SwapoutRate(self.proc.root + "/vmstat", monotonic=self.clock.seconds)
        self.clock.advance(5)
        self.assertEqual(rate.sample(), 0)


class BootTimeTests(SynchronousTestCase):
    """``read_boot_time``."""

    def test_btime(self) -> None:
        """It is the btime line."""
        proc = FakeProc(self.mktemp())
        self.assertEqual(read_boot_time(proc.root + "/stat"), BOOT_TIME)

    def test_missing(self) -> None:
        """A file without one is refused by name."""
        path = FakeProc(self.mktemp()).write("other", "cpu 1 2\n")
        self.assertIn(path, str(self.assertRaises(ValueError, read_boot_time, path)))


class OsNameTests(SynchronousTestCase):
    """``read_os_name``."""

    def name(self, text: str) -> str:
        """The name in this ``os-release``."""
        return read_os_name(FakeProc(self.mktemp()).write("os-release", text))

    def test_plain_and_quoted(self) -> None:
        """``ID`` is found among its likes, with or without quotes."""
        before, after = 'NAME="Some OS"\nVERSION_ID="9"\n# ID=no\n', "\nID_LIKE=debian\n"
        for line in ("ID=rocky", 'ID="rocky"', "ID='rocky'", "  ID=rocky  "):
            self.assertEqual(self.name(before + line + after), "rocky")

    def test_broken_quotes(self) -> None:
        """Quotes that never close are dropped."""
        self.assertEqual(self.name('ID="rocky\n'), "rocky")

    def test_unknown(self) -> None:
        """Without a name, or without the file, it is ``unknown``."""
        for text in ("", "ID=\n", 'NAME="x"\n'):
            self.assertEqual(self.name(text), "unknown")
        self.assertEqual(read_os_name(self.mktemp()), "unknown")


class ForeignTextTests(SynchronousTestCase):
    """Files that no kernel and no distribution wrote."""

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_any_text(self, text: bytes) -> None:
        """They are read, or refused by name: no other error, which nobody would expect."""
        proc = FakeProc(self.mktemp())
        path = proc.write("file", text)
        self.assertTrue(read_os_name(path))
        proc.write("vmstat", b"pswpout " + text)
        self.assertEqual(SwapoutRate(proc.root + "/vmstat", monotonic=lambda: 0.0).sample(), 0)
        for read in (lambda: read_load(path, threads_per_core=1), lambda: read_boot_time(path)):
            try:
                self.assertGreaterEqual(read(), 0)
            except ValueError as problem:
                self.assertIn(path, str(problem))


class FakeNames:
    """A host with the names and the address that a test gives it."""

    def __init__(
        self,
        host: str = "r7",
        full: str = "r7.farm.example",
        ipv4: str | None = "10.0.0.7",
        ipv6: str | None = "2001:db8::7",
    ) -> None:
        self._host, self._full, self._ipv4, self._ipv6 = host, full, ipv4, ipv6

    def host_name(self) -> str:
        """As given."""
        return self._host

    def full_name(self) -> str:
        """As given."""
        return self._full

    def ipv4(self) -> str | None:
        """As given."""
        return self._ipv4

    def ipv6(self) -> str | None:
        """As given."""
        return self._ipv6


class NameTests(SynchronousTestCase):
    """``report_name``."""

    def test_short(self) -> None:
        """By default it is the short host name."""
        self.assertEqual(report_name(MachineSettings(), FakeNames("r7.farm.example")), "r7")

    def test_override(self) -> None:
        """An overridden name comes before all else."""
        machine = MachineSettings(
            use_ip_as_hostname=True,
            use_ipv6_as_hostname=True,
            use_fqdn=True,
            override_real_values=OverrideRealValues(hostname="other.example"),
        )
        self.assertEqual(report_name(machine, FakeNames()), "other.example")

    def test_address(self) -> None:
        """The address where it is asked for, of version 4 if there is one; else the short name."""
        machine = MachineSettings(use_ip_as_hostname=True, use_fqdn=True)
        self.assertEqual(report_name(machine, FakeNames()), "10.0.0.7")
        self.assertEqual(report_name(machine, FakeNames(ipv4=None)), "2001:db8::7")
        self.assertEqual(report_name(machine, FakeNames("r7.x", ipv4=None, ipv6=None)), "r7")

    def test_address_of_version_6(self) -> None:
        """Asked for version 6, it is that, without brackets; else the short name."""
        machine = MachineSettings(use_ip_as_hostname=True, use_ipv6_as_hostname=True)
        self.assertEqual(report_name(machine, FakeNames()), "2001:db8::7")
        self.assertEqual(report_name(machine, FakeNames("r7.x", ipv6=None)), "r7")

    def test_full(self) -> None:
        """The full name where it is asked for, unless the resolver knows none."""
        machine = MachineSettings(use_fqdn=True)
        self.assertEqual(report_name(machine, FakeNames()), "r7.farm.example")
        for full in ("localhost", "localhost.localdomain", "r7"):
            self.assertEqual(report_name(machine, FakeNames("r7.local", full)), "r7.local")

    def test_this_host(self) -> None:
        """The real host has names, and an address that is a number or none."""
        names = SystemNames()
        self.assertTrue(names.host_name())
        self.assertTrue(names.full_name())
        for address, version in ((names.ipv4(), 4), (names.ipv6(), 6)):
            if address is not None:
                found = ip_address(address)
                self.assertEqual(found.version, version)
                self.assertFalse(found.is_loopback or found.is_link_local)

    def test_one_address_to_listen_on(self) -> None:
        """A host of several addresses that listens on one of them is called by that."""
        names = SystemNames(listening_on="10.1.2.3")
        self.assertEqual((names.ipv4(), names.ipv6()), ("10.1.2.3", None))
        names = SystemNames(listening_on="2001:db8::1")
        self.assertEqual((names.ipv4(), names.ipv6()), (None, "2001:db8::1"))

    def test_address_of_no_use(self) -> None:
        """Nobody else can call an address of this host or of one link alone."""
        for address in ("127.0.0.1", "169.254.0.1", "::1", "fe80::1"):
            names = SystemNames(listening_on=address)
            self.assertEqual((names.ipv4(), names.ipv6()), (None, None))

    def test_all_addresses(self) -> None:
        """A name or all addresses to listen on say nothing of which one leads out."""
        found = SystemNames(listening_on="all")
        for word in ("0.0.0.0", "::", "render042"):
            names = SystemNames(listening_on=word)
            self.assertEqual((names.ipv4(), names.ipv6()), (found.ipv4(), found.ipv6()))
