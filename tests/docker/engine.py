"""A container engine of the tests' own: ``dockerd`` with its own data, socket and images."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.environments import lacks
from tests.integration import remains

#: Images that are there; the second has a user database, and a PATH of its own.
SMALL, LARGER = "openrqd-test/small:1", "openrqd-test/larger:1"
#: Seconds to wait for the daemon, and for one command to it; how often it is started.
_READY, _COMMAND, _TRIES = 60.0, 120.0, 3
_PASSWD = """\
root:x:0:0:root:/root:/bin/sh
bin:x:2:2:bin:/bin:/bin/false
guest:x:1000:1000::/:/bin/sh
"""


class Engine:
    """Started once for all tests; ``stop`` leaves nothing.

    ``size``, as of a tmpfs, is all the room that it has for its data; without one it is the disk's.
    """

    programs = {"dockerd": "docker.io", "docker-init": "docker.io", "busybox": "busybox-static"}
    """And the packages that have them."""

    def __init__(self, *, live_restore: bool = True, size: str = "") -> None:
        for program, package in self.programs.items():
            if shutil.which(program) is None:
                lacks(f"there is no {program}: apt-get install {package}")
        if os.geteuid() != 0:
            lacks("a container engine needs root")
        self.folder = Path(tempfile.mkdtemp(prefix="openrqd-engine-"))
        (self.folder / "daemon.json").write_text("{}")  # whatever this machine has is not for us
        self.socket = f"unix://{self.folder}/docker.sock"
        self.data = self.folder / "docker"
        self._size = size
        self.live_restore = live_restore
        self._process: subprocess.Popen[bytes] | None = None
        self._ran = False

    # -- the daemon ------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for _ in range(_TRIES):
            self._spawn()
            if self._answers():
                return
            self._give_up()
        told = (self.folder / "engine.log").read_text()[-2000:]
        if self._ran:
            raise AssertionError(f"the engine does not start again: {told}")
        lacks(f"the engine does not start: {told}")

    def _spawn(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.folder / "docker.pid")
        with open(self.folder / "engine.log", "ab") as log:
            self._process = subprocess.Popen(
                ["nice", "-n", "10", *self._command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "CONTAINERS_CONF": f"{self.folder}/containers.conf"},
            )

    def _command(self) -> list[str]:
        folder = self.folder
        return [
            *("dockerd", "--iptables=false", "--ip6tables=false", "--bridge=none"),
            *("--storage-driver=vfs", f"--data-root={self.data}", f"--exec-root={folder}/exec"),
            *(f"--pidfile={folder}/docker.pid", f"--config-file={folder}/daemon.json"),
            *(f"--cgroup-parent=/{folder.name}", "-H", self.socket),
            *(["--live-restore"] if self.live_restore else []),
        ]

    def _answers(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _READY
        while self.run("version", check=False) is None:
            if time.monotonic() > deadline or self._process.poll() is not None:
                return False
            time.sleep(0.05)
        self._ran = True
        return True

    def _give_up(self) -> None:
        """Its containerd outlives a SIGKILL, and may be what it waits for; shims outlive both."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "exec/containerd/containerd.pid").read_text())
            os.kill(pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL; what it runs goes on."""
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        """Stop it in order; without live-restore, all containers stop."""
        self._end(signal.SIGTERM)

    def forget(self, container: str) -> None:
        """Die, and come back like one that died in the middle of this container's start."""
        found = str(self.run("inspect", "--format", "{{.Id}}", container)).strip()
        self.kill()
        path = self.data / "containers" / found / "config.v2.json"
        kept = json.loads(path.read_text())
        kept["State"] |= {"Running": False, "Pid": 0}
        path.write_text(json.dumps(kept))
        self.start()

    def restart(self, *, live_restore: bool) -> None:
        self.terminate()
        self.live_restore = live_restore
        self.start()

    def _end(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(number)
            self._process.wait(_COMMAND)
        self._process = None

    def prepare(self) -> None:
        """Start it, with images."""
        if self._size:
            self.data.mkdir()
            mount = ("mount", "-t", "tmpfs", "-o", f"size={self._size}", "data", self.data)
            subprocess.run(mount, check=True)
        self.start()
        self._make_image(SMALL, {})
        changes = ["--change", "ENV PATH=/opt/tools:/bin", "--change", "ENV STUDIO=image"]
        self._make_image(LARGER, {"etc/passwd": _PASSWD, "etc/group": "guest:x:1000:\n"}, changes)

    def _make_image(
        self, name: str, files: dict[str, str], changes: list[str] | None = None
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            root.chmod(0o755)
            for each in ("bin", "etc", "tmp", "opt/tools"):
                (root / each).mkdir(parents=True)
            (root / "tmp").chmod(0o1777)
            shutil.copy(str(shutil.which("busybox")), root / "bin/busybox")
            links = ["/bin/busybox", "--install", "-s", "/bin"]
            subprocess.run(["chroot", root, *links], check=True)
            tool = root / "opt/tools/studio-tool"
            tool.write_text("#!/bin/sh\necho the tool of the image\n")
            tool.chmod(0o755)
            for path, text in files.items():
                (root / path).write_text(text)
            tar = subprocess.run(["tar", "-C", root, "-c", "."], check=True, capture_output=True)
            self._docker("import", *(changes or []), "-", name, stdin=tar.stdout)

    def stop(self) -> None:
        """End it with all that it has started; raises AssertionError if anything stays.

        What a SIGKILL has broken off in the middle of a start the engine has forgotten: its shim
        stays for good. That is ended here, as in production by nobody.
        """
        if self._process is None or self._process.poll() is not None:
            self.start()
        if left := self.containers():
            self.run("rm", "-f", *left)
        self.terminate()
        remains.kill(str(self.folder))
        for mount in self._mounts():
            subprocess.run(["umount", "-l", mount], check=True)
        for group in self._groups():
            with contextlib.suppress(OSError):
                group.rmdir()
        shutil.rmtree(self.folder, ignore_errors=True)
        if left := self.remains():
            raise AssertionError(f"the engine leaves {left}")

    def remains(self) -> list[str]:
        """What is left of it: processes, mounts, control groups, files."""
        processes = map(str, remains.processes(str(self.folder)))
        files = [str(self.folder)] if self.folder.exists() else []
        return [*processes, *self._mounts(), *map(str, self._groups()), *files]

    def _mounts(self) -> list[str]:
        """Those below its folder, the last first."""
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in lines]
        return [point for point in reversed(points) if point.startswith(f"{self.folder}/")]

    def _groups(self) -> list[Path]:
        """Its control groups in all trees, the inner ones first."""
        trees = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
        tops = [tree / self.folder.name for tree in trees]
        found = [Path(path) for top in tops for path, _, _ in os.walk(top, topdown=False)]
        return list(dict.fromkeys(map(Path.resolve, found)))

    # -- what tests ask of it --------------------------------------------------------------------

    def run(self, *arguments: str, check: bool = True) -> str | None:
        """What ``docker`` printed; None if it failed and needn't do well."""
        try:
            return self._docker(*arguments)
        except AssertionError:
            if check:
                raise
            return None

    def _docker(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["docker", "-H", self.socket, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            timeout=_COMMAND,
        )
        if done.returncode:
            raise AssertionError(f"docker {arguments}: {done.stderr.decode()}")
        return done.stdout.decode()

    def containers(self) -> list[str]:
        """The names of all containers, whoever they belong to."""
        return str(self.run("ps", "-a", "--format", "{{.Names}}")).split()

    def ours(self) -> list[str]:
        """The names of agents' containers."""
        label = ["--filter", "label=openrqd.agent", "--format", "{{.Names}}"]
        return str(self.run("ps", "-a", *label)).split()


class Podman(Engine):
    """The service of Podman, at a socket like the other's; containers always outlive it."""

    programs = {
        "podman": "podman",
        "runc": "runc",
        "docker": "docker.io",
        "busybox": "busybox-static",
    }

    def _command(self) -> list[str]:
        # It would raise limits where that isn't permitted.
        limits = '[containers]\ndefault_ulimits = ["nofile=10000:10000", "nproc=4096:4096"]\n'
        (self.folder / "containers.conf").write_text(limits)
        folder = self.folder
        return [
            *("podman", f"--root={self.data}", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp"),
            *("--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=none"),
            *(f"--runtime={shutil.which('runc')}", "system", "service", "--time=0", self.socket),
        ]
