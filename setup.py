"""Build steps that plain metadata can't say: generated stubs, and Twisted's plugin.

``pyproject.toml`` holds everything else. A wheel gets its stubs in the build folder, so the source
tree stays as it was; an editable install gets them in the source tree, where Python will look.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build
from setuptools.command.editable_wheel import editable_wheel

PROTO_FOLDER = Path("proto")
STUB_PACKAGE = "rqd/proto"
PLUGIN_PATH = "twisted_plugins"
PLUGIN = "twisted/plugins/openrqd_plugin.py"

DEPENDENCIES = [
    "grpcio>=1.51",
    "protobuf>=3.21",
    "psutil>=5.9",
    "pyyaml>=6.0",
    "twisted>=22.4",
    "voluptuous>=0.12",
    "zope.interface>=5.4",
]


@dataclass(frozen=True)
class Protoc:
    """One way to run protoc with gRPC's Python plugin.

    What it writes is *portable* up to protoc 25: it loads on any protobuf runtime from 3.21 up.
    """

    command: tuple[str, ...]
    portable: bool
    requirements: tuple[str, ...] = ()


def _is_portable(command: tuple[str, ...]) -> bool:
    version = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
    return int(version.stdout.split()[-1].split(".")[0]) < 26


def _protocs() -> Iterator[Protoc]:
    try:
        requirements = importlib.metadata.requires("grpcio-tools") or []
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        # A newer grpcio-tools asks for the very runtimes that its stubs ask for.
        runtime = tuple(each for each in requirements if not each.startswith("setuptools"))
        command = (sys.executable, "-W", "ignore", "-m", "grpc_tools.protoc")
        portable = _is_portable(command)
        yield Protoc(command, portable, () if portable else runtime)
    protoc, plugin = shutil.which("protoc"), shutil.which("grpc_python_plugin")
    if protoc and plugin:
        yield Protoc((protoc, f"--plugin=protoc-gen-grpc_python={plugin}"), _is_portable((protoc,)))


def find_protoc() -> Protoc:
    """The most portable one, grpcio-tools' before PATH's."""
    found = sorted(_protocs(), key=lambda protoc: not protoc.portable)
    if not found:
        sys.exit(
            "openrqd: nothing here can generate the stubs from proto/. Either install grpcio-tools "
            "(pip does, unless told --no-build-isolation), or put protoc and grpc_python_plugin on "
            "PATH (Debian: apt-get install protobuf-compiler protobuf-compiler-grpc)."
        )
    return found[0]


def stub_names() -> list[str]:
    """The generated files, as paths below the folder they are generated into."""
    endings = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")
    sources = sorted(PROTO_FOLDER.glob("*.proto"))
    return [f"{STUB_PACKAGE}/{each.stem}{ending}" for each in sources for ending in endings]


def generate_stubs(folder: str) -> None:
    """Write the stubs below ``folder``; they import each other as ``rqd.proto.*``."""
    command = find_protoc().command
    print(f"generating {STUB_PACKAGE} stubs in {folder} with {' '.join(command)}", file=sys.stderr)
    Path(folder, STUB_PACKAGE).mkdir(parents=True, exist_ok=True)
    kinds = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    sources = [str(each) for each in sorted(PROTO_FOLDER.glob("*.proto"))]
    subprocess.run([*command, f"-I{STUB_PACKAGE}={PROTO_FOLDER}", *kinds, *sources], check=True)


class BuildStep(Command):
    """What setuptools wants of a step of ``build``."""

    build_lib: str | None
    editable_mode: bool
    user_options: list[tuple[str, str | None, str]] = []

    def initialize_options(self) -> None:
        self.build_lib = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        self.set_undefined_options("build", ("build_lib", "build_lib"))

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class BuildStubs(BuildStep):
    """Runs after build_py, so that fresh stubs win over any it has copied from the source tree."""

    description = "generate the protobuf and gRPC stubs"

    def run(self) -> None:
        generate_stubs("." if self.editable_mode else self.build_lib)

    def get_source_files(self) -> list[str]:
        return [str(each) for each in PROTO_FOLDER.glob("*.proto")]

    def get_outputs(self) -> list[str]:
        return [os.path.join(self.build_lib, name) for name in stub_names()]

    def get_output_mapping(self) -> dict[str, str]:
        if not self.editable_mode:
            return {}
        return {os.path.join(self.build_lib, name): name for name in stub_names()}


class BuildPlugin(BuildStep):
    """Puts the one plugin file beside Twisted's own; ``twisted`` never becomes a package of ours.

    The wheel's list of files names this file alone, so removing openrqd leaves Twisted whole. An
    editable install finds it through a path file instead (EditableWheel).
    """

    description = "place the twistd plugin"

    def run(self) -> None:
        if not self.editable_mode:
            target = os.path.join(self.build_lib, PLUGIN)
            self.mkpath(os.path.dirname(target))
            self.copy_file(os.path.join(PLUGIN_PATH, PLUGIN), target)

    def get_source_files(self) -> list[str]:
        return [os.path.join(PLUGIN_PATH, PLUGIN)]

    def get_outputs(self) -> list[str]:
        return [] if self.editable_mode else [os.path.join(self.build_lib, PLUGIN)]


class Build(build):
    """The usual steps, then ours."""

    sub_commands = [*build.sub_commands, ("build_stubs", None), ("build_plugin", None)]


class EditableWheel(editable_wheel):
    """Adds a path file, since Twisted looks for plugins along ``sys.path`` and nowhere else.

    The packages are found by a path file, too: setuptools would prefer an import hook here, whose
    own imports cost every process of the environment some 15 ms.
    """

    def initialize_options(self) -> None:
        super().initialize_options()
        self.mode = "compat"

    def run(self) -> None:
        super().run()
        folder = os.path.abspath(PLUGIN_PATH)
        for wheel in Path(self.dist_dir).glob("openrqd-*.whl"):
            add_to_wheel(wheel, "openrqd_twisted_plugins.pth", f"{folder}\n".encode())


def add_to_wheel(wheel: Path, name: str, content: bytes) -> None:
    """Rewrite ``wheel`` with one more file, listed in its RECORD as the others are."""
    grown = wheel.with_suffix(".grown")
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    line = f"{name},sha256={digest},{len(content)}\n"
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(grown, "w") as target:
        target.writestr(name, content)
        for each in source.infolist():
            data = source.read(each)
            is_record = each.filename.endswith(".dist-info/RECORD")
            target.writestr(each, line.encode() + data if is_record else data)
    grown.replace(wheel)


def requirements() -> list[str]:
    """What openrqd needs at run time, narrowed to what the stubs will run with."""
    return [*DEPENDENCIES, *find_protoc().requirements]


setup(
    install_requires=requirements(),
    cmdclass={
        "build": Build,
        "build_stubs": BuildStubs,
        "build_plugin": BuildPlugin,
        "editable_wheel": EditableWheel,
    },
)
