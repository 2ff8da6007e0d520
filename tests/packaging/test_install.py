"""However openrqd is installed, all of it arrives.

Each test installs into a virtual environment of its own, which borrows the run-time dependencies
from the Python that runs the tests. The build tools are installed once and kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
import venv
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.environments import SOURCE_TREE, cached_environment, lacks, run

NOT_SOURCE = shutil.ignore_patterns(
    ".*", "_trial_temp*", "__pycache__", "build", "dist", "*.egg-info", "*_pb2*", "dropin.cache"
)
STUBS_TO_IMPORT = "rqd_pb2", "rqd_pb2_grpc", "report_pb2", "report_pb2_grpc", "host_pb2"
PLUGIN = "twisted/plugins/openrqd_plugin.py"


def build_python() -> Path:
    """A Python with exactly what pyproject.toml asks for to build."""
    metadata = tomllib.loads((SOURCE_TREE / "pyproject.toml").read_text())
    return cached_environment("build", metadata["build-system"]["requires"])


def site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(run(python, "-c", code).strip())


def generated(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*_pb2*"))


class Target:
    """A fresh environment to install into."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True)
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.packages = site_packages(self.python)
        borrowed = [path for path in sys.path if path.endswith("-packages")]
        (self.packages / "borrowed.pth").write_text("\n".join(borrowed))

    def pip(self, *arguments: str | Path, **environ: str) -> str:
        """Run the build environment's pip on this one."""
        return run(build_python(), "-m", "pip", "--python", self.python, *arguments, **environ)

    def install(self, *what: str | Path) -> str:
        """Install, with the build environment's tools and nothing downloaded."""
        # --ignore-installed: the borrowed folder may hold an openrqd too, and isn't ours to change.
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed")
        tools = str(site_packages(build_python()))
        return self.pip("install", *options, *what, PYTHONPATH=tools)

    def ask(self, code: str) -> str:
        """What ``code`` prints here, far from the source tree."""
        return run(self.python, "-c", code, cwd=self.folder).strip()


class InstallTests(SynchronousTestCase):
    """A wheel, a source distribution, a folder, an editable folder."""

    def setUp(self) -> None:
        root = Path(self.mktemp()).absolute()
        self.source = root / "source"
        shutil.copytree(SOURCE_TREE, self.source, ignore=NOT_SOURCE)
        self.target = Target(root / "target")
        self.wheels = root / "wheels"

    def build_wheel(self, source: Path) -> Path:
        options = ("--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", self.wheels)
        run(build_python(), "-m", "pip", "wheel", *options, source)
        [wheel] = self.wheels.glob("openrqd-*.whl")
        return wheel

    def build_sdist(self) -> Path:
        build = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
        self.wheels.mkdir()
        run(build_python(), "-c", build, self.wheels, cwd=self.source)
        [archive] = self.wheels.glob("openrqd-*.tar.gz")
        return archive

    def assertInstalled(self, *, under: Path) -> None:
        """twistd knows the service, the scripts are there, the stubs load from ``under``."""
        listed = run(self.target.python, "-m", "twisted", "--help", cwd=self.target.folder)
        self.assertIn("openrqd ", listed)
        for script in ("openrqd", "dummy-cuebot"):
            self.assertTrue(os.access(self.target.folder / "bin" / script, os.X_OK), script)
        imports = f"from rqd.proto import {', '.join(STUBS_TO_IMPORT)}; print(rqd_pb2.__file__)"
        self.assertEqual(self.target.ask(imports), str(under / "rqd/proto/rqd_pb2.py"))

    def assertRemovedWithoutTrace(self) -> None:
        """pip removes our plugin alone from Twisted's folder."""
        files = self.target.pip("show", "--files", "openrqd").splitlines()
        in_twisted = [each.strip() for each in files if each.strip().startswith("twisted")]
        self.assertEqual([each for each in in_twisted if not each.endswith(".pyc")], [PLUGIN])
        neighbour = (self.target.packages / PLUGIN).with_name("of_somebody_else.py")
        neighbour.touch()
        self.target.pip("uninstall", "--yes", "openrqd")
        self.assertTrue(neighbour.exists())
        self.assertFalse((self.target.packages / PLUGIN).exists())

    def test_wheel(self) -> None:
        """A wheel carries stubs, plugin and scripts, and leaves the source tree as it was."""
        self.target.install(self.build_wheel(self.source))
        self.assertInstalled(under=self.target.packages)
        self.assertEqual(generated(self.source / "rqd"), [])
        self.assertRemovedWithoutTrace()

    def test_sdist(self) -> None:
        """A source distribution carries no stubs, and is enough to build the wheel from."""
        archive = self.build_sdist()
        shutil.unpack_archive(archive, self.wheels / "unpacked")
        self.assertEqual(generated(self.wheels / "unpacked"), [])
        self.target.install(self.build_wheel(archive))
        self.assertInstalled(under=self.target.packages)

    def test_folder(self) -> None:
        """``pip install .`` in the source tree."""
        self.target.install(self.source)
        self.assertInstalled(under=self.target.packages)

    def test_editable(self) -> None:
        """``pip install -e .`` runs from the source tree, which gets the stubs."""
        self.target.install("--editable", self.source)
        self.assertInstalled(under=self.source)
        # An import hook would cost every start some 15 ms; a path file costs nothing.
        self.assertEqual(list(self.target.packages.glob("__editable__*.py")), [])
        self.target.pip("uninstall", "--yes", "openrqd")
        self.assertEqual(list(self.target.packages.glob("*openrqd*")), [])

    def test_stale_stubs(self) -> None:
        """Stubs that lie in the source tree from another time don't get into a wheel."""
        stale = self.source / "rqd" / "proto" / "rqd_pb2.py"
        stale.write_text("raise SystemExit('stale')\n")
        self.target.install(self.build_wheel(self.source))
        self.assertInstalled(under=self.target.packages)


class StubGenerationTests(SynchronousTestCase):
    """Where the stubs come from when grpcio-tools isn't there."""

    def setUp(self) -> None:
        self.source = Path(self.mktemp()).absolute()
        shutil.copytree(SOURCE_TREE, self.source, ignore=NOT_SOURCE)
        self.python = cached_environment("setuptools", ["setuptools>=66,<81", "wheel"])

    def build(self, **environ: str) -> str:
        return run(self.python, "setup.py", "build", cwd=self.source, **environ)

    def test_protoc_on_path(self) -> None:
        """A distribution's protoc and gRPC plugin do as well."""
        if not (shutil.which("protoc") and shutil.which("grpc_python_plugin")):
            lacks("protoc and grpc_python_plugin aren't both on PATH")
        self.build()
        names = set(generated(self.source / "build"))
        self.assertLessEqual({f"{name}.py" for name in STUBS_TO_IMPORT}, names)

    def test_no_protoc(self) -> None:
        """Without any, the build ends with a sentence that says what to install."""
        problem = self.assertRaises(AssertionError, self.build, PATH="")
        self.assertIn("protobuf-compiler-grpc", str(problem))
        self.assertNotIn("Traceback", str(problem))
