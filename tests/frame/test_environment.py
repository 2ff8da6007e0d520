"""All that a frame finds in its environment."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rqd.frame.environment import (
    STANDARD_PATH,
    HostEnvironment,
    frame_environment,
    host_environment,
)
from rqd.system.gpus import Gpu, by_uuid
from rqd.system.reservations import Reservation
from tests.report.facts import frame_spec

HOST = HostEnvironment("render042", STANDARD_PATH, {})
UNPINNED = Reservation(100)
GPUS = Reservation(100, (), (Gpu("GPU-a", 0), Gpu("GPU-c", 2)))


def environment(
    asked: dict[str, str] | None = None,
    *,
    host: HostEnvironment = HOST,
    reservation: Reservation = UNPINNED,
    **changes: Any,
) -> dict[str, str]:
    spec = frame_spec(environment=asked or {}, **changes)
    return frame_environment(spec, host, reservation, "/logs/j.f.rqlog")


class FrameEnvironmentTests(SynchronousTestCase):
    """L{frame_environment}."""

    def test_whole(self) -> None:
        """A frame that asks for nothing gets this and nothing else; TZ is left alone."""
        self.assertEqual(
            environment(job_name="job", frame_name="1-l", user_name="u", show="s", shot="t"),
            {
                "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "TERM": "unknown",
                "USER": "u",
                "LOGNAME": "u",
                "mcp": "1",
                "show": "s",
                "shot": "t",
                "jobid": "job",
                "jobhost": "render042",
                "frame": "1-l",
                "zframe": "1-l",
                "logfile": "/logs/j.f.rqlog",
                "maxframetime": "0",
                "minspace": "200",
                "CUE3": "True",
                "SP_NOMYCSHRC": "1",
                "CUE_GPU_MEMORY": "0",
            },
        )

    def test_request_on_top(self) -> None:
        """What was asked for wins over what the agent would have set."""
        env = environment({"TERM": "xterm", "MINE": "1", "mcp": "0"})
        self.assertEqual((env["TERM"], env["MINE"], env["mcp"]), ("xterm", "1", "0"))

    def test_path_is_appended(self) -> None:
        """A job's search path comes after the host's, never in place of it."""
        self.assertEqual(environment({"PATH": "/show/bin"})["PATH"], STANDARD_PATH + ":/show/bin")

    def test_empty_path(self) -> None:
        """An empty one adds nothing: an empty element would mean the working folder."""
        self.assertEqual(environment({"PATH": ""})["PATH"], STANDARD_PATH)

    def test_gpu_memory(self) -> None:
        """The free GPU memory of the host is told in KiB."""
        host = HostEnvironment("h", STANDARD_PATH, {}, free_gpu_memory=lambda: 2048)
        self.assertEqual(environment(host=host)["CUE_GPU_MEMORY"], "2048")

    def test_copied(self) -> None:
        """What comes from the host is below everything else."""
        host = HostEnvironment("h", STANDARD_PATH, {"USER": "root", "SITE": "x", "A": "host"})
        env = environment({"A": "job"}, host=host, user_name="u")
        self.assertEqual((env["USER"], env["SITE"], env["A"]), ("u", "x", "job"))

    def test_unpinned_threads(self) -> None:
        """A frame that isn't pinned keeps the number of threads that it asked for."""
        env = environment({"CUE_THREADS": "3"})
        self.assertEqual(env["CUE_THREADS"], "3")
        self.assertNotIn("CUE_HT", env)

    def test_pinned(self) -> None:
        """A pinned frame may use all its threads, and knows whether some are hyper-threads."""
        two = Reservation(200, (0, 1, 4, 5))
        env = environment({"CUE_THREADS": "2"}, reservation=two)
        self.assertEqual((env["CUE_THREADS"], env["CUE_HT"]), ("4", "True"))
        env = environment(reservation=Reservation(200, (0, 1)))
        self.assertEqual((env["CUE_THREADS"], env["CUE_HT"]), ("2", "False"))

    def test_more_threads_asked(self) -> None:
        """Who wants more threads than that gets them."""
        env = environment({"CUE_THREADS": "9"}, reservation=Reservation(100, (3,)))
        self.assertEqual(env["CUE_THREADS"], "9")

    @given(st.text(max_size=20) | st.just("9" * 5000) | st.just("²"))
    def test_odd_threads(self, odd: str) -> None:
        """Whatever the request says there, a pinned frame has a number of threads."""
        env = environment({"CUE_THREADS": odd}, reservation=Reservation(100, (3, 7)))
        self.assertGreaterEqual(int(env["CUE_THREADS"]), 2)

    def test_gpus(self) -> None:
        """Reserved GPUs are named for OpenCue's tools and for CUDA, which is to count alike."""
        env = environment(reservation=GPUS)
        self.assertEqual((env["CUE_GPU_CORES"], env["CUDA_VISIBLE_DEVICES"]), ("0,2", "0,2"))
        self.assertEqual(env["CUDA_DEVICE_ORDER"], "PCI_BUS_ID")

    def test_gpus_by_uuid(self) -> None:
        """CUDA can be told UUIDs; OpenCue's tools get numbers all the same."""
        host = HostEnvironment("h", STANDARD_PATH, {}, gpu_name=by_uuid)
        env = environment(host=host, reservation=GPUS)
        self.assertEqual(
            (env["CUE_GPU_CORES"], env["CUDA_VISIBLE_DEVICES"]), ("0,2", "GPU-a,GPU-c")
        )

    def test_reserved_gpus_win(self) -> None:
        """A request can't widen what was reserved for it."""
        env = environment(
            {"CUDA_VISIBLE_DEVICES": "7", "CUE_GPU_CORES": "7", "CUDA_DEVICE_ORDER": "x"},
            reservation=GPUS,
        )
        self.assertEqual((env["CUE_GPU_CORES"], env["CUDA_VISIBLE_DEVICES"]), ("0,2", "0,2"))
        self.assertEqual(env["CUDA_DEVICE_ORDER"], "PCI_BUS_ID")

    def test_no_gpus(self) -> None:
        """Without GPUs there is nothing to hide from the request."""
        env = environment({"CUDA_VISIBLE_DEVICES": "7"})
        self.assertEqual(env["CUDA_VISIBLE_DEVICES"], "7")
        self.assertNotIn("CUE_GPU_CORES", env)


class HostEnvironmentTests(SynchronousTestCase):
    """L{host_environment}."""

    ENVIRON = {"PATH": "/host/bin", "HOME": "/root", "SITE": "x"}

    def picked(
        self, *, use_path: bool = False, use_all: bool = False, names: tuple[str, ...] = ()
    ) -> HostEnvironment:
        return host_environment("h", self.ENVIRON, use_path=use_path, use_all=use_all, names=names)

    def test_nothing(self) -> None:
        """Nothing comes through unless the configuration says so."""
        self.assertEqual(self.picked(), HostEnvironment("h", STANDARD_PATH, {}))

    def test_path(self) -> None:
        """The host's search path, where it is wanted and there is one."""
        self.assertEqual(self.picked(use_path=True).path, "/host/bin")
        without = host_environment("h", {}, use_path=True, use_all=False, names=())
        self.assertEqual(without.path, STANDARD_PATH)

    def test_names(self) -> None:
        """Named variables come through where the host has them."""
        self.assertEqual(self.picked(names=("SITE", "NOPE")).copied, {"SITE": "x"})

    def test_service(self) -> None:
        """What systemd says to the agent is not said to frames, nor is its state their home."""
        service = {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "1", "HOME": "/var/lib/openrqd"}
        service |= {"STATE_DIRECTORY": "/var/lib/openrqd", "SITE": "x"}
        picked = host_environment("h", service, use_path=False, use_all=True, names=())
        self.assertEqual(picked.copied, {"SITE": "x"})

    def test_all(self) -> None:
        """All of them, but the search path has a switch of its own."""
        picked = self.picked(use_all=True)
        self.assertEqual(picked.copied, {"HOME": "/root", "SITE": "x"})
        self.assertEqual(picked.path, STANDARD_PATH)
