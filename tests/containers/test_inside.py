"""What a container is made of."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rqd.config.settings import DockerMount, DockerSettings
from rqd.containers.accounts import Person, with_person
from rqd.containers.inside import Files, Order, body, gpu_environment, home_of
from rqd.containers.interface import Accounts
from rqd.frame.users import Identity
from rqd.system.gpus import Gpu
from rqd.system.reservations import Reservation
from tests.report.facts import frame_spec

_FILES = Files("/s/n.chain", "/s/n.permit", "/t/c.sh", "/s/n.passwd", "/s/n.group", "/s/k.spool")


def made(
    settings: DockerSettings | None = None,
    mounts: tuple[DockerMount, ...] = (),
    reservation: Reservation = Reservation(150),  # noqa: B008
    **spec: Any,
) -> dict[str, Any]:
    """A container's body."""
    order = Order(
        called="openrqd-n",
        spec=frame_spec(**spec),
        reservation=reservation,
        identity=Identity(1001, 1002, (1003,)),
        image="sha256:1",
        labels={},
        environment={"A": "1\n2", "a.b": "x", "PATH": "/bin"},
        files=_FILES,
        folder="/tmp",
        folders=("/tmp", "/logs/"),
        umask=0o022,
        output="/.openrqd/output",
    )
    return body(order, settings or DockerSettings(), mounts)


class BodyTests(SynchronousTestCase):
    """L{body}."""

    def test_user(self) -> None:
        """The frame's user from the first instruction on, with its groups."""
        container = made()
        self.assertEqual(container["User"], "1001:1002")
        self.assertEqual(container["HostConfig"]["GroupAdd"], ["1003"])
        self.assertFalse(container["HostConfig"]["Privileged"])

    def test_stopped(self) -> None:
        """Who stops it by hand does not wait for what hears no TERM."""
        self.assertEqual(made()["StopSignal"], "SIGKILL")

    def test_environment(self) -> None:
        """Odd names are set by env, PATH is added to the image's."""
        container = made()
        self.assertEqual(container["Env"], ["A=1\n2"])
        words = container["Entrypoint"][4:]
        self.assertEqual(words[2], "/bin")
        self.assertEqual(words[4:], ["env", "a.b=x", "/bin/sh", "/.openrqd/command"])

    def test_memory(self) -> None:
        """KiB become bytes; the reservation is never above the limit, nor too low."""
        limits = made(soft_memory_limit=2 << 20, hard_memory_limit=1 << 20)["HostConfig"]
        self.assertEqual((limits["Memory"], limits["MemorySwap"]), (1 << 30, 1 << 30))
        self.assertEqual(limits["MemoryReservation"], 1 << 30)
        self.assertEqual(made(hard_memory_limit=1)["HostConfig"]["Memory"], 6 << 20)
        self.assertNotIn("Memory", made(soft_memory_limit=0, hard_memory_limit=0)["HostConfig"])

    def test_processors(self) -> None:
        """Pinned to reserved threads, else by weight."""
        self.assertEqual(made()["HostConfig"]["CpuShares"], 1536)
        pinned = made(reservation=Reservation(100, (0, 4)))["HostConfig"]
        self.assertEqual(pinned["CpusetCpus"], "0,4")
        self.assertNotIn("CpuShares", pinned)

    def test_mounts(self) -> None:
        """The folders of work and log are where they are, unless configured otherwise."""
        mounts = (DockerMount("/tmp", "", "tmpfs"), DockerMount("/v", "vol", "volume"))
        found = {mount["Target"]: mount for mount in made(mounts=mounts)["HostConfig"]["Mounts"]}
        self.assertEqual(found["/tmp"]["Type"], "tmpfs")
        self.assertEqual(found["/logs"]["Source"], "/logs")
        self.assertEqual(found["/v"]["Source"], "vol")
        self.assertTrue(found["/etc/passwd"]["ReadOnly"])

    def test_gpus(self) -> None:
        """Reserved GPUs are handed in by UUID, and named so, unless that is off."""
        reservation = Reservation(100, (), (Gpu("GPU-1", 0), Gpu("GPU-2", 3)))
        (request,) = made(reservation=reservation)["HostConfig"]["DeviceRequests"]
        self.assertEqual(request["DeviceIDs"], ["GPU-1", "GPU-2"])
        self.assertEqual(request["Capabilities"], [["gpu"]])
        self.assertEqual(
            gpu_environment(reservation, DockerSettings()), {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2"}
        )
        off = made(DockerSettings(gpus=False), reservation=reservation)
        self.assertNotIn("DeviceRequests", off["HostConfig"])

    def test_limits(self) -> None:
        """What is configured, in the engine's words."""
        settings = DockerSettings(
            pids_limit=9,
            shm_size=8,
            ulimits={"nofile": "1:2", "core": "0"},
            devices=("/dev/a:/dev/b",),
            cap_add=("X",),
        )
        limits = made(settings)["HostConfig"]
        self.assertEqual((limits["PidsLimit"], limits["ShmSize"]), (9, 8))
        self.assertEqual(limits["Ulimits"][1], {"Name": "core", "Soft": 0, "Hard": 0})
        self.assertEqual(limits["Devices"][0]["PathInContainer"], "/dev/b")
        self.assertEqual(limits["CapAdd"], ["X"])


class AccountsTests(SynchronousTestCase):
    """User databases."""

    image = Accounts(b"root:x:0:0:r:/:/sh\nbin:x:2:2::/:/sh\nold:x:1001:1::/:/sh", b"bin:x:2:\n")

    def test_added(self) -> None:
        """The frame's lines come first, so that its number has its name."""
        person = Person("artist", "", (("show", 1002), ("other", 1003)))
        found = with_person(self.image, person, Identity(1001, 1002, (1003,)), "/tmp")
        first, *others = found.passwd.splitlines()
        self.assertEqual(first, b"artist:x:1001:1002:openrqd:/tmp:/bin/sh")
        self.assertEqual(others, self.image.passwd.splitlines())
        groups = found.group.splitlines()
        self.assertEqual(groups[:2], [b"show:x:1002:", b"other:x:1003:artist"])

    def test_systems_names(self) -> None:
        """Nobody takes the name of a user of the image's system."""
        person = Person("bin", "", (("bin", 1002),))
        found = with_person(self.image, person, Identity(1001, 1002, ()), "/tmp")
        self.assertTrue(found.passwd.startswith(b"user1001:x:1001:"))
        self.assertTrue(found.group.startswith(b"group1002:x:1002:"))

    def test_home(self) -> None:
        """The user's own if a mount brings it."""
        mounts = (DockerMount("/home/", "/home"),)
        self.assertEqual(home_of("/home/a", mounts, "/tmp"), "/home/a")
        self.assertEqual(home_of("/homes/a", mounts, "/tmp"), "/tmp")
