"""What becomes of frames and of the service, whatever is done to it, on one kind of machine.

``OPENRQD_DEB_TREE`` is the folder of a tree, ``OPENRQD_DEB_VIEW`` what it sees of control groups,
``OPENRQD_DEB_PACKAGES`` are the packages; see ``__main__``. Each test has a machine of its own, on
which the package is installed already, once for all of them.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import time
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rqd.proto import rqd_pb2
from tests.deb.farm import ARTIST, LOGS, Farm, Frame, what_is_odd
from tests.deb.machine import LEGACY, UNIFIED, Layers, Machine, until
from tests.deb.packages import one_version_up
from tests.environments import SOURCE_TREE

TREE = Path(os.environ.get("OPENRQD_DEB_TREE", ""))
VIEW = os.environ.get("OPENRQD_DEB_VIEW", UNIFIED)
PACKAGES = [Path(name) for name in os.environ.get("OPENRQD_DEB_PACKAGES", "").split()]
#: Frames of each scenario, and how many of them ignore a TERM where that matters.
FRAMES, DEAF = 10, 2
#: The site's own settings, out of the way of the conffile. Short patience makes short tests.
_DROP_IN = """\
[Service]
WatchdogSec=5
Environment=OPENRQD__RUNNER__RUN_AS_USER=true
Environment=OPENRQD__RUNNER__KILL_MONITOR_TIMEOUT=3s
Environment=OPENRQD__GRPC__BACKOFF_DELAY_MAX=1s
Environment=OPENRQD__MACHINE__OVERRIDE_REAL_VALUES__CORES=64
"""
INSTALL = ("apt-get", "install", "--yes", "--quiet")


def prepare(machine: Machine) -> None:
    """Before the first boot: what a site would have put there."""
    logs = machine.path(LOGS)
    logs.mkdir()
    os.chmod(logs, 0o1777)
    drop_in = machine.path("/etc/systemd/system/openrqd.service.d")
    drop_in.mkdir(parents=True)
    (drop_in / "site.conf").write_text(_DROP_IN)
    for package in PACKAGES:
        machine.path(f"/root/{package.name}").write_bytes(package.read_bytes())


def install(machine: Machine) -> None:
    machine.run(*INSTALL, *(f"/root/{package.name}" for package in PACKAGES))


@cache
def installed() -> Layers:
    """The files of a machine on which the package was installed, as a layer for others."""
    layers = Layers(TREE)
    atexit.register(layers.remove)
    layers.mount()
    machine = Machine(layers.root, view=VIEW)
    prepare(machine)
    machine.boot()
    try:
        machine.run("apt-get", "update")
        install(machine)
        machine.power_off()
    finally:
        machine.close()
    layers.unmount()
    return layers


def print_figure(what: str, seconds: float) -> None:
    """For the table that ``__main__`` makes."""
    sys.stdout.write(f"FIGURE {what}: {seconds:.1f} s\n")
    sys.stdout.flush()


class MachineCase(SynchronousTestCase):
    """A machine with nothing of ours on it, and a farm."""

    def setUp(self) -> None:
        self.use(Layers(TREE))

    def use(self, layers: Layers) -> None:
        layers.mount()
        self.addCleanup(layers.remove)
        self.machine = Machine(layers.root, view=VIEW)
        self.addCleanup(self.machine.close)
        self.farm = Farm(self.machine)
        self.addCleanup(self.farm.stop)
        self.farm.start()

    def said(self) -> str:
        """What the journal has of it, for a failure."""
        if not self.machine.is_on:
            return "the machine is off"
        return self.machine.journal("--output=short-monotonic")[-6000:]

    # -- what must be so -----------------------------------------------------------------------

    def assert_whole(self, frames: list[Frame]) -> None:
        """Each ended once, as it was to end, and its log is whole and knows of no signal."""
        self.farm.let_go()
        ends = self.farm.wait_for_ends(frames)
        self.assertEqual(ends, {frame.id: (frame.status, 0) for frame in frames}, self.said())
        odd = {frame.name: what_is_odd(frame, self.machine) for frame in frames}
        self.assertEqual({name: what for name, what in odd.items() if what}, {}, self.said())
        self.assert_once(frames)

    def assert_once(self, frames: list[Frame]) -> None:
        """No completion came twice, nor does any over one more restart."""
        self.restart()
        completed = sorted(done.frame.frame_id for done in self.farm.completions)
        self.assertEqual(completed, sorted(frame.id for frame in frames))

    def assert_alike(self, frames: list[Frame]) -> None:
        """A completion that an agent told as it died may come again, and then says the same."""
        self.restart()
        told = {done.frame.frame_id: done for done in self.farm.completions}
        self.assertEqual(sorted(told), sorted(frame.id for frame in frames))
        for done in self.farm.completions:
            self.assertEqual(done, told[done.frame.frame_id])

    def restart(self) -> None:
        startups = self.farm.startups
        self.machine.run("systemctl", "restart", "openrqd")
        self.farm.wait_for_agent(startups)


class InstallTests(MachineCase):
    """From nothing to a frame that runs."""

    def test_install(self) -> None:
        """apt pulls what is needed; the service is up, known to Cuebot, and runs a frame."""
        prepare(self.machine)
        self.machine.boot()
        self.machine.run("apt-get", "update")
        began = time.monotonic()
        install(self.machine)
        print_figure("apt-get install", time.monotonic() - began)
        self.farm.wait_for_agent()
        print_figure("install to startup report", time.monotonic() - began)
        frame = self.farm.launch("id -un; id -u; cat /proc/self/cgroup; ulimit -n; ulimit -l")
        ends = self.farm.wait_for_ends([frame])
        print_figure("install to first frame done", time.monotonic() - began)
        self.assertEqual(ends, {frame.id: (0, 0)}, self.said())
        log = frame.log(self.machine).read_text()
        self.assertRegex(log, r"\] artist\n.*\] 1001\n")
        tree = "name=systemd:" if VIEW == LEGACY else " 0::"
        self.assertIn(f"{tree}/openrqd.slice/openrqd-frames.service", log)
        self.assertEqual(os.stat(frame.log(self.machine)).st_uid, ARTIST)
        self.assertEqual(self.machine.property("ActiveState"), "active")
        until(lambda: "Cuebot answers" in self.machine.property("StatusText"), "a status")
        self.assertEqual(self.machine.run("systemctl", "--failed", "--no-legend").strip(), "")
        units = ("openrqd.service", "openrqd-frames.service")
        self.assertEqual(self.machine.run("systemd-analyze", "verify", "--man=no", *units), "")
        self.assertEqual(self.machine.path("/var/lib/openrqd").stat().st_mode & 0o777, 0o700)
        self.assert_journal_fields(frame)

    def assert_journal_fields(self, frame: Frame) -> None:
        """All about a frame, or a job, is found by its field."""
        for match in (f"OPENRQD_FRAME_ID={frame.id}", "OPENRQD_JOB=job"):
            found = self.machine.run("journalctl", "--no-pager", "--output=cat", match)
            self.assertIn("frame started", found)
            self.assertIn("frame ended", found)
        events = self.machine.run("journalctl", "--output=cat", "OPENRQD_HOST_EVENT=start")
        self.assertIn("starting openrqd", events)

    def test_port_held(self) -> None:
        """A port that another process holds is no failure: apt says who, and the agent waits."""
        prepare(self.machine)
        classic = self.machine.path("/etc/opencue/rqd.conf")
        classic.parent.mkdir()
        classic.write_text("[Override]\n")
        self.machine.boot()
        self.machine.run("apt-get", "update")
        holder = ("systemd-run", "--unit=holder", "/bin/sleep", "infinity")
        self.machine.run(*holder[:2], "--socket-property=ListenStream=8444", *holder[2:])
        said = self.machine.run(*INSTALL, *(f"/root/{package.name}" for package in PACKAGES))
        self.assertRegex(said, r"openrqd: port 8444 is held: pid \d+, since .*")
        self.assertIn("openrqd migrate-config /etc/opencue/rqd.conf", said)
        self.assertIn("openrqd: the agent did not start", said)
        self.machine.run("systemctl", "stop", "holder.socket")
        self.farm.wait_for_agent()

    def test_preseeded(self) -> None:
        """A configuration that is there before is kept, and nobody is asked."""
        prepare(self.machine)
        config = self.machine.path("/etc/openrqd/rqd.yaml")
        config.parent.mkdir()
        config.write_text("machine: {custom_tags: [preseeded]}\n")
        self.machine.boot()
        self.machine.run("apt-get", "update")
        keep = ("-o", "Dpkg::Options::=--force-confold")
        self.machine.run(*INSTALL, *keep, *(f"/root/{package.name}" for package in PACKAGES))
        self.farm.wait_for_agent()
        self.assertEqual(config.read_text(), "machine: {custom_tags: [preseeded]}\n")
        self.assertEqual(self.machine.property("ActiveState"), "active")


class InstalledCase(MachineCase):
    """A machine on which the package is installed, and the service is up."""

    def setUp(self) -> None:
        self.use(Layers(installed().upper, TREE))
        self.machine.boot()
        self.farm.wait_for_agent()

    def agent(self) -> int:
        """The pid of the agent as we see it, not as the machine counts."""
        inside = self.machine.property("MainPID")
        return self.machine.pid(int(inside))


class GoOnCase(InstalledCase):
    """Frames that run, and an agent that suffers."""

    def setUp(self) -> None:
        super().setUp()
        self.frames = self.farm.launch_printers(FRAMES)
        self.startups = self.farm.startups

    def assert_went_on(self) -> None:
        self.farm.wait_for_agent(self.startups)
        self.farm.wait_for_lines(self.frames)
        self.assert_whole(self.frames)


class FramesGoOnTests(GoOnCase):
    """What the agent may suffer without any frame taking notice."""

    def assert_went_on(self) -> None:
        """Nor does systemd."""
        super().assert_went_on()
        found = [line for line in self.machine.journal().splitlines() if "left-over" in line]
        self.assertEqual(found, [])

    def test_restart(self) -> None:
        """systemctl restart."""
        self.machine.run("systemctl", "restart", "openrqd")
        self.assert_went_on()

    def test_crash(self) -> None:
        """SIGKILL: systemd starts another agent."""
        os.kill(self.agent(), signal.SIGKILL)
        self.assert_went_on()

    def test_terminated(self) -> None:
        """A SIGTERM of which systemd knows nothing is no stop."""
        os.kill(self.agent(), signal.SIGTERM)
        self.assert_went_on()

    def test_watchdog(self) -> None:
        """A reactor that doesn't turn is ended by the watchdog."""
        began = time.monotonic()
        os.kill(self.agent(), signal.SIGSTOP)
        self.farm.wait_for_agent(self.startups)
        print_figure("SIGSTOP to the next agent, WatchdogSec=5", time.monotonic() - began)
        self.assertIn("Watchdog timeout", self.machine.journal())
        self.assert_went_on()

    def test_upgrade(self) -> None:
        """apt-get install of a package one version up."""
        package = next(each for each in PACKAGES if each.name.startswith("openrqd_"))
        newer = one_version_up(package, self.machine.path("/root"))
        self.machine.run(*INSTALL, f"/root/{newer.name}")
        self.assert_went_on()

    def test_call(self) -> None:
        """RestartRqdNow, by way of systemd."""
        self.farm.call("RestartRqdNow", rqd_pb2.RqdStaticRestartNowRequest())
        self.assert_went_on()

    def test_reload(self) -> None:
        """systemctl reload: another level takes effect, another port is said to need a restart."""
        pid = self.agent()
        config = self.machine.path("/etc/openrqd/rqd.yaml")
        config.write_text("logging: {level: debug}\ngrpc: {rqd_port: 8555}\n")
        self.assertEqual(self.machine.status("systemctl", "reload", "openrqd"), 0, self.said())
        for said in (
            "in effect from now on key=logging.level value=debug was=info",
            "takes a restart, frames go on over it key=grpc.rqd_port value=8555 was=8444",
        ):
            until(lambda said=said: said in self.machine.journal("--output=cat"), said)
        config.write_text("grpc: {rqd_port: no}\n")
        self.assertNotEqual(self.machine.status("systemctl", "reload", "openrqd"), 0)
        self.assertIn("grpc.rqd_port", self.machine.journal("--output=cat"))
        config.write_text("")
        self.assertEqual(self.agent(), pid)
        self.assert_whole(self.frames)

    def test_limits(self) -> None:
        """All frames are in one place, that shows in systemctl status and takes limits."""
        status = self.machine.run("systemctl", "status", "--no-pager", "openrqd-frames")
        scripts = set(re.findall(r"─ *\d+ /bin/bash (/tmp/openrqd-\S+)", status))
        self.assertEqual(len(scripts), FRAMES, status)
        own = self.machine.run("systemctl", "status", "--no-pager", "openrqd")
        self.assertNotIn("/tmp/openrqd-", own)
        listed = self.machine.run("systemd-cgls", "--no-pager", "--unit", "openrqd-frames.service")
        self.assertIn("/tmp/openrqd-", listed)
        self.machine.run(
            *("systemctl", "set-property", "openrqd-frames.service"),
            *("CPUWeight=50", "MemoryMax=64G"),
        )
        self.assertEqual(self.machine.property("CPUWeight", "openrqd-frames.service"), "50")
        self.machine.run("systemctl", "daemon-reload")
        self.farm.wait_for_lines(self.frames)
        self.assert_whole(self.frames)


class SessionsTests(GoOnCase):
    """The same where the agent can't make control groups: frames are known by their session."""

    def setUp(self) -> None:
        self.use(Layers(installed().upper, TREE))
        drop_in = self.machine.path("/etc/systemd/system/openrqd.service.d/sessions.conf")
        drop_in.write_text("[Service]\nProtectControlGroups=yes\n")
        self.machine.boot()
        self.farm.wait_for_agent()
        self.frames = self.farm.launch_printers(FRAMES)
        self.startups = self.farm.startups

    def test_restart(self) -> None:
        """systemctl restart; systemd sees frames in the service, and leaves them alone."""
        status = self.machine.run("systemctl", "status", "--no-pager", "openrqd")
        self.assertIn("/tmp/openrqd-", status)
        self.machine.run("systemctl", "restart", "openrqd")
        self.assert_went_on()

    def test_crash(self) -> None:
        """SIGKILL."""
        os.kill(self.agent(), signal.SIGKILL)
        self.assert_went_on()

    def test_stop(self) -> None:
        """systemctl stop ends them."""
        self.machine.run("systemctl", "stop", "openrqd")
        self.assertEqual(len(self.farm.ends(self.frames)), FRAMES, self.said())
        status = self.machine.run("systemctl", "status", "--no-pager", "openrqd", check=False)
        self.assertNotIn("/tmp/openrqd-", status)


class StopTests(InstalledCase):
    """What ends frames, and is to."""

    def assert_ended(self, frames: list[Frame]) -> None:
        """All by the agent: each completion came once, those of the deaf ones by KILL."""
        ends = self.farm.ends(frames)
        self.assertEqual(sorted(ends), sorted(frame.id for frame in frames), self.said())
        self.assertEqual(len(self.farm.completions), len(frames))
        deaf = [ends[frame.id] for frame in frames[:DEAF]]
        self.assertEqual(deaf, [(1, signal.SIGKILL)] * DEAF)
        for frame in frames:
            log = frame.log(self.machine).read_text()
            self.assertEqual(log.count("Render Frame Completed"), 1)
            self.assertIn("SIGNAL TERM", log)

    def processes(self) -> str:
        """What lives of frames; processes may end while find looks at them."""
        look = f"find /proc -maxdepth 1 -uid {ARTIST} 2>/dev/null; true"
        return self.machine.run("sh", "-c", look)

    def test_stop(self) -> None:
        """systemctl stop: all frames end within a bounded time, and Cuebot knows of each."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        began = time.monotonic()
        self.machine.run("systemctl", "stop", "openrqd")
        print_figure("stop with two deaf frames, grace 3 s", time.monotonic() - began)
        self.assertEqual(self.processes(), "")
        self.assert_ended(frames)
        self.assertEqual(self.machine.property("Result"), "success")
        place = "openrqd-frames.service"
        until(lambda: self.machine.property("ActiveState", place) == "inactive", "an end of it all")
        self.machine.run("systemctl", "start", "openrqd")
        self.assert_once(frames)

    def test_stop_without_cuebot(self) -> None:
        """Where Cuebot is away its completions are kept for the next start."""
        frames = self.farm.launch_printers(2)
        self.farm.stop()
        began = time.monotonic()
        self.machine.run("systemctl", "stop", "openrqd")
        print_figure("stop without a Cuebot", time.monotonic() - began)
        self.farm.start()
        self.machine.run("systemctl", "start", "openrqd")
        self.farm.wait_for_ends(frames)
        self.assert_once(frames)

    def test_killed_during_a_stop(self) -> None:
        """What an agent leaves that dies while it is being stopped ends all the same."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        agent = self.agent()
        self.machine.run("systemctl", "--no-block", "stop", "openrqd")
        os.kill(agent, signal.SIGKILL)
        until(lambda: not self.processes(), "an end of all frames")
        self.machine.run("systemctl", "start", "openrqd")
        self.farm.wait_for_ends(frames)
        self.assert_alike(frames)

    def test_disable(self) -> None:
        """systemctl disable --now is a stop."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        self.machine.run("systemctl", "disable", "--now", "openrqd")
        self.assert_ended(frames)

    def test_stop_of_the_place(self) -> None:
        """Whoever stops the place of frames stops the agent first, in order."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        self.machine.run("systemctl", "stop", "openrqd-frames")
        self.assert_ended(frames)
        self.assertEqual(self.machine.property("ActiveState"), "inactive")

    def test_shutdown_call(self) -> None:
        """ShutdownRqdNow ends the service, too: nothing starts it again."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        self.farm.call("ShutdownRqdNow", rqd_pb2.RqdStaticShutdownNowRequest())
        until(lambda: self.machine.property("ActiveState") == "inactive", "an inactive service")
        self.assert_ended(frames)

    def test_power_off(self) -> None:
        """The host goes down in order: frames end in order, and the next boot adds nothing."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        began = time.monotonic()
        self.machine.power_off()
        print_figure("power-off with two deaf frames", time.monotonic() - began)
        self.assert_ended(frames)
        self.machine.boot()
        self.farm.wait_for_agent(1)
        self.assert_once(frames)

    def test_pulled_plug(self) -> None:
        """The host is gone at once: its next boot tells of each frame, once, that it vanished."""
        frames = self.farm.launch_printers(FRAMES)
        self.machine.pull_the_plug()
        self.assertEqual(self.farm.completions, [])
        self.machine.boot()
        ends = self.farm.wait_for_ends(frames)
        self.assertEqual(ends, {frame.id: (1, 19) for frame in frames})
        self.assert_once(frames)

    def test_reboot_call(self) -> None:
        """RebootNow, by way of systemd: frames end, the host comes back."""
        frames = self.farm.launch_printers(FRAMES, deaf=DEAF)
        self.farm.call("RebootNow", rqd_pb2.RqdStaticRebootNowRequest())
        self.machine.wait_for_reboot()
        self.farm.wait_for_agent(1)
        self.assert_ended(frames)


class PackageTests(InstalledCase):
    """The package's own life."""

    def test_autopkgtests(self) -> None:
        """What debian/tests has for any machine on which the package is installed."""
        folder = SOURCE_TREE / "debian" / "tests"
        listed = re.findall(r"^Tests: (.*)$", (folder / "control").read_text(), re.MULTILINE)
        for name in " ".join(listed).split():
            script = self.machine.path(f"/root/{name}")
            script.write_text((folder / name).read_text())
            self.machine.run("sh", f"/root/{name}")

    def test_conffile(self) -> None:
        """An edit survives the upgrade; remove ends frames, and purge leaves nothing but logs."""
        config = self.machine.path("/etc/openrqd/rqd.yaml")
        edited = config.read_text() + "\n# edited here\n"
        config.write_text(edited)
        package = next(each for each in PACKAGES if each.name.startswith("openrqd_"))
        newer = one_version_up(package, self.machine.path("/root"))
        self.machine.run(*INSTALL, f"/root/{newer.name}")
        self.assertEqual(config.read_text(), edited)
        self.farm.wait_for_agent(1)
        frames = self.farm.launch_printers(2)
        self.machine.run("apt-get", "remove", "--yes", "openrqd")
        self.assertEqual(len(self.farm.ends(frames)), 2)
        self.assertEqual(config.read_text(), edited)
        self.machine.run("apt-get", "purge", "--yes", "openrqd")
        folders = ("/etc", "/var", "/run", "/usr")
        left = self.machine.run("find", *folders, "-xdev", "-name", "*openrqd*").splitlines()
        self.assertEqual(left, ["/etc/systemd/system/openrqd.service.d"])
        self.assertTrue(frames[0].log(self.machine).exists())
        units = self.machine.run("systemctl", "list-units", "--all", "--no-legend", "openrqd*")
        self.assertEqual(units.strip(), "")

    def test_read_only(self) -> None:
        """A root that can't be written to will do, with the folders of docs/sites.md apart."""
        writable = f"/var/lib/openrqd /tmp {LOGS} /run /dev /proc /sys"
        drop_in = self.machine.path("/etc/systemd/system/openrqd.service.d/read-only.conf")
        drop_in.write_text(f"[Service]\nReadOnlyPaths=/\nReadWritePaths={writable}\n")
        self.machine.run("systemctl", "daemon-reload")
        startups = self.farm.startups
        self.machine.run("systemctl", "restart", "openrqd")
        self.farm.wait_for_agent(startups)
        frame = self.farm.launch("touch /var/tmp/x; echo $?")
        self.assertEqual(self.farm.wait_for_ends([frame]), {frame.id: (0, 0)}, self.said())
        self.assertIn("Read-only", frame.log(self.machine).read_text())
        self.assertNotIn("Read-only", self.machine.journal())

    def test_broken_configuration(self) -> None:
        """The service fails at once and for good, and says why in one line."""
        frames = self.farm.launch_printers(2)
        self.machine.path("/etc/openrqd/rqd.yaml").write_text("grpc: {rqd_port: no}\n")
        self.assertNotEqual(self.machine.status("systemctl", "restart", "openrqd"), 0)
        self.assertEqual(self.machine.property("ActiveState"), "failed")
        self.assertEqual(self.machine.property("ExecMainStatus"), "78")
        self.assertEqual(self.machine.property("NRestarts"), "0")
        status = self.machine.run("systemctl", "status", "--no-pager", "openrqd", check=False)
        self.assertRegex(status, r'Status: "configuration: grpc.rqd_port: .*/etc/openrqd/rqd.yaml')
        self.assertNotIn("Traceback", self.machine.journal())
        self.machine.path("/etc/openrqd/rqd.yaml").write_text("")
        startups = self.farm.startups
        self.machine.run("systemctl", "start", "openrqd")
        self.farm.wait_for_agent(startups)
        self.assert_whole(frames)

    def test_broken_upgrade(self) -> None:
        """An upgrade whose new agent can't start says so, and frames go on."""
        frames = self.farm.launch_printers(2)
        self.machine.path("/etc/openrqd/rqd.yaml").write_text("grpc: {rqd_port: no}\n")
        package = next(each for each in PACKAGES if each.name.startswith("openrqd_"))
        newer = one_version_up(package, self.machine.path("/root"))
        keep = ("-o", "Dpkg::Options::=--force-confold")
        said = self.machine.run(*INSTALL, *keep, f"/root/{newer.name}", check=False)
        self.assertIn("grpc.rqd_port", said)
        self.machine.path("/etc/openrqd/rqd.yaml").write_text("")
        startups = self.farm.startups
        self.machine.run("systemctl", "start", "openrqd")
        self.farm.wait_for_agent(startups)
        self.assert_whole(frames)
