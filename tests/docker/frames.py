"""What a frame finds in its container, how it ends there, and what is left."""

from __future__ import annotations

import os

from tests.docker.case import DockerCase, in_containers
from tests.integration.agent import Agent
from tests.integration.place_contract import place_contract

#: Points; a whole core.
CORE = 100


class ContainerPlaceTests(place_contract(in_containers)):  # type: ignore[misc]
    """Containers pass the contract of places."""


class MemoryTests(DockerCase):
    """The kernel's kills for want of memory."""

    @in_containers()
    async def test_memory(self, agent: Agent) -> None:
        """The kernel's kill for the hard limit is told from other kills, with the peak."""
        hungry = "echo up; x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo unreachable"
        frame = agent.launch(hungry, hard_memory_limit=40 << 10, soft_memory_limit=30 << 10)
        status, number = await frame.ended()
        self.assertEqual(number, 33, (status, frame.log))
        self.assertTrue(status)
        self.assertIn("0.04 GiB", frame.footer.decode())

    @in_containers()
    async def test_memory_of_a_child(self, agent: Agent) -> None:
        """A frame that goes on after the kernel has killed a child of it ends as it says."""
        hungry = "(x=$(head -c 200000000 /dev/zero | tr '\\0' x)); echo goes on"
        frame = agent.launch(hungry, hard_memory_limit=40 << 10)
        self.assertEqual(await frame.ended(), (0, 0))
        self.assertIn(b"goes on\n", frame.output)


class InsideTests(DockerCase):
    """What the frame is, has and sees."""

    @in_containers()
    async def test_user(self, agent: Agent) -> None:
        """It is the configured default user, by the name of the request, never root."""
        frame = agent.launch("id -u; id -g; id -un; id -gn; whoami", user_name="artist")
        lines = (await frame.printed()).split()
        self.assertEqual(lines[:3], [b"1000", b"1000", b"artist"])
        self.assertEqual(lines[4], b"artist")

    @in_containers(runner={"run_as_user": True})
    async def test_as_user(self, agent: Agent) -> None:
        """With run_as_user it has the uid and gid of the request, also where nobody knows them."""
        ids = agent.launch("id -u; id -g; id -un; touch $mine", uid=4242, gid=4343, os="larger")
        lines = (await ids.printed()).split()
        self.assertEqual(lines[:3], [b"4242", b"4343", b"nobody"])

    @in_containers(runner={"run_as_user": True})
    async def test_without_name(self, agent: Agent) -> None:
        """A uid without any name gets one that is made of it."""
        frame = agent.launch("id -u; id -un; echo $USER", uid=4242, user_name="")
        self.assertEqual(await frame.printed(), b"4242\nuser4242\n\n")

    @in_containers()
    async def test_images_own_users(self, agent: Agent) -> None:
        """Users of the image stay, but for who has the frame's number; the image is as it was."""
        frame = agent.launch("cat /etc/passwd", os="larger", user_name="artist")
        lines = (await frame.printed()).splitlines()
        self.assertIn(b"bin:x:2:2:bin:/bin:/bin/false", lines)
        again = self.engine.run("run", "--rm", "--network=host", LARGER_IMAGE, "cat", "/etc/passwd")
        self.assertNotIn("artist", str(again))

    @in_containers()
    async def test_environment(self, agent: Agent) -> None:
        """The environment is a frame's, on top of the image's; any value arrives as it is."""
        frame = agent.launch(
            'echo "$STUDIO|$show|$frame|$LINES_OF|$mcp"; studio-tool;'
            ' tr "\\0" "\\n" </proc/$$/environ | grep -c ^odd.name=x',
            os="larger",
            environment={"LINES_OF": "one\ntwo 'q' \"d\" $HOME", "odd.name": "x", "PATH": "/extra"},
        )
        printed = await frame.printed()
        first = b"image|show|%s|one\ntwo 'q' \"d\" $HOME|1\n" % frame.request.frame_name.encode()
        self.assertEqual(printed, first + b"the tool of the image\n1\n")

    @in_containers()
    async def test_pinned(self, agent: Agent) -> None:
        """Whole cores are the frame's own: its container is pinned to them."""
        environment = {"CUE_THREADABLE": "1"}
        command = "grep Cpus_allowed_list /proc/self/status; echo $CUE_THREADS"
        frame = agent.launch(command, num_cores=CORE, environment=environment)
        _, allowed, threads = (await frame.printed()).split()
        self.assertEqual(len(os.sched_getaffinity(0)) > 1, allowed.isdigit())
        self.assertEqual(threads, b"1")

    @in_containers(
        runner={
            "docker_mounts": [
                {"target": "/ro", "source": "{folder}", "read_only": True},
                {"target": "/scratch", "typ": "tmpfs"},
                {"target": "/vol", "source": "openrqd-test", "typ": "volume"},
            ]
        },
        docker={
            "pids_limit": 50,
            "shm_size": "8MiB",
            "ulimits": {"nofile": "100:200"},
            "devices": ["/dev/null:/dev/nothing"],
            "cap_drop": ["ALL"],
        },
    )
    async def test_configured(self, agent: Agent) -> None:
        """Mounts, limits, devices and capabilities are as configured."""
        frame = agent.launch(
            "touch /ro/x 2>/dev/null || echo read-only; echo a >/scratch/a && cat /scratch/a;"
            " test -d /vol && echo volume; ulimit -Sn; ulimit -Hn;"
            " test -c /dev/nothing && echo dev; df -k /dev/shm | tail -1 | awk '{print $2}';"
            " grep CapEff /proc/self/status; cat /proc/1/comm;"
            " cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null"
        )
        lines = (await frame.printed()).splitlines()
        self.assertEqual(lines[:7], b"read-only a volume 100 200 dev 8192".split())
        self.assertEqual(lines[7].split()[1], b"0" * 16)
        self.assertEqual(lines[8], b"docker-init")
        self.assertEqual(lines[9], b"50")

    @in_containers()
    async def test_told(self, agent: Agent) -> None:
        """The operating systems that there are images for are what the host reports as its own."""
        self.assertEqual(agent.report().host.attributes["SP_OS"], "small,larger,absent")


LARGER_IMAGE = "openrqd-test/larger:1"
