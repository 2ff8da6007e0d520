"""The classic agent's configuration as openrqd's: ``openrqd migrate-config FILE``.

Pure but for reading the file. What is printed holds every setting of the old file, a comment for
each that has no counterpart, and those where the two agents' defaults differ, as the classic one
had them: so a host behaves as before, and whoever reads it sees what may go.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple

import yaml

from rqd.config.classic import COUNTERPARTS, CUEBOT, CUEBOT_PORT, WITHOUT, boolean, mount, whole
from rqd.config.settings import Settings

_USAGE = """\
Usage: openrqd migrate-config FILE

Prints the classic agent's configuration (most often /etc/opencue/rqd.conf) as openrqd's, to be
read over and put into /etc/openrqd/rqd.yaml. $CUEBOT_HOSTNAME counts as it did there. Exit status:
0, 64 for a wrong command line, 66 for a file that can't be read, 78 for one that can't be used,
with a line for each problem.
"""
_HEAD = """\
# Made of {path} by openrqd migrate-config.
# openrqd --config THIS --validate-config tells whether it can be used.
"""
_OVERRIDE, _VARIABLES = "Override", "UseHostEnvVar"
_DOCKER, _MOUNTS, _IMAGES = "docker.config", "docker.mounts", "docker.images"


class Problems(Exception):
    """The file can't be used; ``args`` are sentences."""


class _Line(NamedTuple):
    """A setting, and where it is from."""

    path: str
    value: object
    origin: str


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; returns the exit status."""
    if list(arguments) in (["--help"], ["-h"]):
        sys.stdout.write(_USAGE)
        return os.EX_OK
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write(_USAGE)
        return os.EX_USAGE
    (path,) = arguments
    try:
        with open(path, encoding="utf-8") as file:
            migrated = migrate(file.read(), path, os.environ)
    except OSError as problem:
        sys.stderr.write(f"error: {path} can't be read: {problem.strerror}\n")
        return os.EX_NOINPUT
    except UnicodeDecodeError:
        sys.stderr.write(f"error: {path} is no text in UTF-8\n")
        return os.EX_CONFIG
    except Problems as problems:
        sys.stderr.write("".join(f"error: {path}: {each}\n" for each in problems.args))
        return os.EX_CONFIG
    sys.stdout.write(migrated)
    return os.EX_OK


def migrate(text: str, path: str, environ: Mapping[str, str]) -> str:
    """The YAML for an INI file's ``text``; raises Problems. ``path`` is only told."""
    old = _parse(text)
    problems: list[str] = []
    lines = [*_overrides(old, problems), *_cuebots(old, environ, problems)]
    lines += [*_variables(old), *_docker(old, problems)]
    if problems:
        raise Problems(*problems)
    comments = [f"# {each}\n" for each in _comments(old)]
    return "".join([_HEAD.format(path=path), *comments, *_yaml(lines)])


def _parse(text: str) -> configparser.RawConfigParser:
    old = configparser.RawConfigParser(allow_no_value=True)
    old.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        old.read_string(text)
    except configparser.Error as problem:
        raise Problems(" ".join(str(problem).split())) from None
    return old


def _section(old: configparser.RawConfigParser, name: str) -> dict[str, str]:
    return {key: value or "" for key, value in old.items(name)} if old.has_section(name) else {}


def _overrides(old: configparser.RawConfigParser, problems: list[str]) -> Iterator[_Line]:
    given = _section(old, _OVERRIDE)
    for key, here in COUNTERPARTS.items():
        if key in given:
            text, origin = given[key], key
        elif here.default is not None and not (key == "SP_OS" and _runs_docker(old)):
            text, origin = here.default, "the classic agent's default, openrqd has another"
        else:
            continue
        try:
            yield _Line(here.path, here.convert(text), origin)
        except ValueError as problem:
            problems.append(f"[{_OVERRIDE}] {key}: {problem}")


def _cuebots(
    old: configparser.RawConfigParser, environ: Mapping[str, str], problems: list[str]
) -> Iterator[_Line]:
    given = _section(old, _OVERRIDE)
    hosts, origin = given.get(CUEBOT), CUEBOT
    if hosts is None and "CUEBOT_HOSTNAME" in environ:
        hosts, origin = environ["CUEBOT_HOSTNAME"], "$CUEBOT_HOSTNAME"
    if hosts is None and CUEBOT_PORT not in given:
        return
    try:
        port = whole(given.get(CUEBOT_PORT, "8443"))
    except ValueError as problem:
        problems.append(f"[{_OVERRIDE}] {CUEBOT_PORT}: {problem}")
        return
    names = (hosts or "localhost").split()
    if not names:
        problems.append(f"{origin} is empty")
    elif hosts is None:
        origin = CUEBOT_PORT
    yield _Line("grpc.cuebot_endpoints", [f"{name}:{port}" for name in names], origin)


def _variables(old: configparser.RawConfigParser) -> Iterator[_Line]:
    names = list(_section(old, _VARIABLES))
    if names:
        yield _Line("runner.host_env_vars", names, f"[{_VARIABLES}]")


def _runs_docker(old: configparser.RawConfigParser) -> bool:
    try:
        return boolean(_section(old, _DOCKER).get("RUN_ON_DOCKER", "no"))
    except ValueError:
        return False


def _docker(old: configparser.RawConfigParser, problems: list[str]) -> Iterator[_Line]:
    if "RUN_ON_DOCKER" in _section(old, _DOCKER):
        try:
            runs = boolean(_section(old, _DOCKER)["RUN_ON_DOCKER"])
            yield _Line("runner.run_on_docker", runs, "RUN_ON_DOCKER")
        except ValueError as problem:
            problems.append(f"[{_DOCKER}] RUN_ON_DOCKER: {problem}")
    images = _section(old, _IMAGES)
    if images:
        yield _Line("runner.docker_images", images, f"[{_IMAGES}]")
    mounts = []
    for name, text in _section(old, _MOUNTS).items():
        try:
            mounts.append(mount(text))
        except ValueError as problem:
            problems.append(f"[{_MOUNTS}] {name}: {problem}")
    if mounts:
        yield _Line("runner.docker_mounts", mounts, f"[{_MOUNTS}]")


def _comments(old: configparser.RawConfigParser) -> Iterator[str]:
    """What has no counterpart, by the order of the old file."""
    known = {_OVERRIDE, _VARIABLES, _DOCKER, _MOUNTS, _IMAGES}
    for section in old.sections():
        if section not in known:
            yield f"[{section}] means nothing here."
            continue
        for key, value in _section(old, section).items():
            if section in (_OVERRIDE, _DOCKER) and key not in _TAKEN:
                why = WITHOUT.get(key, "the classic agent does not know it either")
                yield f"{key} = {value}: {why}."


_TAKEN = {*COUNTERPARTS, CUEBOT, CUEBOT_PORT, "RUN_ON_DOCKER"}


def _yaml(lines: Sequence[_Line]) -> Iterator[str]:
    """Sections in the agent's order; each setting with where it is from."""
    opened: tuple[str, ...] = ()
    order = [each.name for each in fields(Settings)]
    for line in sorted(lines, key=lambda line: (order.index(line.path.split(".")[0]), line.path)):
        *sections, name = line.path.split(".")
        for depth, section in enumerate(sections):
            if opened[: depth + 1] != tuple(sections[: depth + 1]):
                yield f"{'  ' * depth}{section}:\n"
                opened = tuple(sections[: depth + 1])
        opened = tuple(sections)
        yield f"{'  ' * len(sections)}{name}: {_flow(line.value)}  # {line.origin}\n"


def _flow(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=2**31, sort_keys=False)
    return text.removesuffix("...\n").rstrip("\n")
