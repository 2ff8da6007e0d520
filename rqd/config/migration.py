"""The classic agent's configuration as openrqd's: ``openrqd migrate-config FILE``.

Pure but for reading the file. What is printed holds every setting of the old file, a comment for
each that has no counterpart, and those where the two agents' defaults differ, as the classic one
had them: so a host behaves as before, and whoever reads it sees what may go.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Final, NamedTuple

import yaml
from voluptuous import Invalid, MultipleInvalid

from rqd.config.classic import (
    ALL_VARIABLES,
    COUNTERPARTS,
    CUEBOT,
    CUEBOT_PORT,
    DESKTOP,
    DIFFERENCES,
    NIMBY,
    OF_CONTAINERS,
    WITHOUT,
    boolean,
    mount,
    whole,
)
from rqd.config.errors import quoted
from rqd.config.keys import Key, leaves
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
_RUN_ON_DOCKER = "RUN_ON_DOCKER"
_KEYS: Final[Mapping[str, Key]] = {".".join(path): each for path, each in leaves(Settings)}


class Problems(Exception):
    """The file can't be used; ``args`` are sentences."""


class _Line(NamedTuple):
    """A setting, and where it is from: a section and perhaps a key of it, or something else."""

    path: str
    value: object
    origin: str
    section: str = ""
    key: str = ""


class _Notes:
    """The problems of a text, each with the line that it is in."""

    def __init__(self, text: str) -> None:
        self.sentences: list[tuple[int, str]] = []
        self._places = _places(text)

    def add(self, section: str, key: str, problem: object) -> None:
        place = self._places.get((section, key), 0)
        where = f"line {place}, [{section}]" if place else f"[{section}]"
        self.sentences.append((place, f"{where} {key}: {problem}"))

    def check(self, line: _Line) -> None:
        """Whether the agent would take it."""
        try:
            _KEYS[line.path].accept(line.value)
        except Invalid as problem:
            first = problem.errors[0] if isinstance(problem, MultipleInvalid) else problem
            self.add(line.section, line.key, f"{first.msg}, not {quoted(line.value)}")


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
    notes = _Notes(text)
    lines = [*_overrides(old, notes), *_cuebots(old, environ, notes)]
    lines += [*_variables(old), *_docker(old, notes)]
    for line in lines:
        notes.check(line)
    if notes.sentences:
        raise Problems(*(sentence for _, sentence in sorted(notes.sentences)))
    comments = [f"# {_told(each)}\n" for each in [*_comments(old), *_differences(lines)]]
    return "".join([_HEAD.format(path=_told(path)), *comments, *_yaml(lines)])


def _told(text: str) -> str:
    """On one line, and nothing that YAML would not take in a comment."""
    line = " ".join(text.split())
    return line if line.isprintable() else ascii(line)


def _parse(text: str) -> configparser.RawConfigParser:
    old = configparser.RawConfigParser(allow_no_value=True)
    old.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        old.read_string(text)
    except configparser.Error as problem:
        raise Problems(" ".join(str(problem).split())) from None
    except AttributeError:  # of Python before 3.13
        raise Problems("an indented line follows a name without a value") from None
    return old


def _places(text: str) -> dict[tuple[str, str], int]:
    """The first line of each key of each section. (A value's further lines may look like keys, and
    be listed as well.)"""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line.strip()):
            section = header[1]
        else:
            found.setdefault((section, _DELIMITER.split(line.strip(), maxsplit=1)[0]), number)
    return found


_HEADER: Final = re.compile(r"\[(.+)\]")
_DELIMITER: Final = re.compile(r"\s*[=:]")


def _section(old: configparser.RawConfigParser, name: str) -> dict[str, str]:
    return {key: value or "" for key, value in old.items(name)} if old.has_section(name) else {}


def _overrides(old: configparser.RawConfigParser, notes: _Notes) -> Iterator[_Line]:
    given = _section(old, _OVERRIDE)
    for key, here in COUNTERPARTS.items():
        if key in given:
            text, origin = given[key], key
        elif here.default is not None and not (key == "SP_OS" and _runs_docker(old)):
            text, origin = here.default, "the classic agent's default, openrqd has another"
        else:
            continue
        if key == ALL_VARIABLES and _section(old, _VARIABLES):
            text, origin = "no", f"{origin}, which has no effect beside [{_VARIABLES}]"
        try:
            value = here.convert(text)
        except ValueError as problem:
            notes.add(_OVERRIDE, key, problem)
        else:
            yield _Line(here.path, value, f"{origin}{here.remark}", _OVERRIDE, key)
            if key == NIMBY and value and DESKTOP not in given:
                origin = "the classic agent's default, openrqd takes nimby_mode's"
                yield _Line(COUNTERPARTS[DESKTOP].path, False, origin)


def _cuebots(
    old: configparser.RawConfigParser, environ: Mapping[str, str], notes: _Notes
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
        notes.add(_OVERRIDE, CUEBOT_PORT, problem)
        return
    if hosts is None:
        hosts, origin = "localhost", CUEBOT_PORT
    endpoints = [f"{name}:{port}" for name in hosts.split()]
    key = origin if origin in given else CUEBOT_PORT
    yield _Line("grpc.cuebot_endpoints", endpoints, origin, _OVERRIDE, key)


def _variables(old: configparser.RawConfigParser) -> Iterator[_Line]:
    names = list(_section(old, _VARIABLES))
    if names:
        yield _Line("runner.host_env_vars", names, f"[{_VARIABLES}]", _VARIABLES, names[0])


def _runs_docker(old: configparser.RawConfigParser) -> bool:
    try:
        return boolean(_section(old, _DOCKER).get(_RUN_ON_DOCKER, "no"))
    except ValueError:
        return False


def _docker(old: configparser.RawConfigParser, notes: _Notes) -> Iterator[_Line]:
    given = _section(old, _DOCKER)
    for key in filter(given.__contains__, OF_CONTAINERS):
        here = OF_CONTAINERS[key]
        try:
            yield _Line(here.path, here.convert(given[key]), key, _DOCKER, key)
        except ValueError as problem:
            notes.add(_DOCKER, key, problem)
    images = _section(old, _IMAGES)
    if images:
        first = next(iter(images))
        yield _Line("runner.docker_images", images, f"[{_IMAGES}]", _IMAGES, first)
        if _runs_docker(old):
            origin = "the classic agent's image for frames that name no system: its first"
            yield _Line("runner.docker_default_image", images[first], origin, _IMAGES, first)
    mounts = list(_mounts(old, notes))
    if mounts:
        first = next(iter(_section(old, _MOUNTS)))
        yield _Line("runner.docker_mounts", mounts, f"[{_MOUNTS}]", _MOUNTS, first)


def _mounts(old: configparser.RawConfigParser, notes: _Notes) -> Iterator[dict[str, str]]:
    for name, text in _section(old, _MOUNTS).items():
        try:
            yield mount(text)
        except ValueError as problem:
            notes.add(_MOUNTS, name, problem)


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


def _differences(lines: Sequence[_Line]) -> Iterator[str]:
    """What else is another by default, unless the old file decides it."""
    decided = {line.path for line in lines if line.value}
    for path, sentence in DIFFERENCES.items():
        if path not in decided:
            yield f"{path}: {sentence}."


_TAKEN = {*COUNTERPARTS, *OF_CONTAINERS, CUEBOT, CUEBOT_PORT}


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
