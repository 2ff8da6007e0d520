"""Job files: YAML in, a Job out, or every mistake at once with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from dummy_cuebot.errors import Problem
from dummy_cuebot.fields import Fields
from dummy_cuebot.job import Expectation, Job, Layer
from dummy_cuebot.templates import fill, unknown

# What a frame's command may name besides the job's own variables (see ``booking``).
FRAME_NAMES = ("job", "layer", "frame", "frame_end", "zframe", "chunk")

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")
_KIB_PER_MIB = 1024


def load(path: str, variables: Mapping[str, str]) -> Job:
    """The job in a file; ``variables`` (from the command line) go over those of the file."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(), variables)
    except OSError as error:
        raise Problem(f"can't read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"{path} isn't UTF-8 text") from None
    except Problem as problem:
        raise Problem(*(f"{path}: {sentence}" for sentence in problem.sentences)) from None


def parse(text: str, variables: Mapping[str, str]) -> Job:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Problem(f"not YAML: {' '.join(str(error).split())}") from None
    problems: list[str] = []
    job = _job(Fields(data, "", problems), variables, problems)
    problems += _dependency_problems(job.layers)
    if problems:
        raise Problem(*problems)
    return job


def _job(fields: Fields, variables: Mapping[str, str], problems: list[str]) -> Job:
    known = {**fields.strings("variables"), **variables}
    layers = fields.any("layers", None)
    if not isinstance(layers, list) or not layers:
        fields.wrong("layers", "expected a list of layers")
        layers = []
    job = Job(
        name=fields.text("job"),
        show=fields.text("show", "test_show"),
        shot=fields.text("shot", "test_shot"),
        user=fields.text("user", "test_user"),
        uid=fields.whole("uid", 1000, 1),
        log_root=_filled(fields, "log_root", known),
        layers=tuple(
            _layer(Fields(layer, f"layers[{index}]", problems), known, problems)
            for index, layer in enumerate(layers)
        ),
    )
    fields.finish()
    return job


def _layer(fields: Fields, variables: Mapping[str, str], problems: list[str]) -> Layer:
    first, last = _range(fields)
    layer = Layer(
        name=fields.text("name"),
        first=first,
        last=last,
        chunk=fields.whole("chunk", 1, 1),
        cores=round(fields.number("cores", 1, 0.01) * 100),
        memory=fields.whole("memory_mib", 256, 1) * _KIB_PER_MIB,
        threadable=fields.flag("threadable"),
        retries=fields.whole("retries", 0, 0),
        after=fields.names("after"),
        environment=fields.strings("environment"),
        command=_filled(fields, "command", variables, FRAME_NAMES),
        kill_after=fields.optional_number("kill_after_seconds", 0),
        expect=_expectation(fields, problems),
    )
    fields.finish()
    return layer


def _range(fields: Fields) -> tuple[int, int]:
    text = str(fields.any("range", "1"))
    match = _RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
    if last < first:
        fields.wrong("range", f"expected FIRST-LAST or one number, got {text!r}")
    return first, last


def _filled(
    fields: Fields, key: str, variables: Mapping[str, str], later: tuple[str, ...] = ()
) -> str:
    """A text with its variables in place; ``later`` ones are filled for each frame."""
    text = fields.text(key)
    for name in unknown(text, {*variables, *later}):
        fields.wrong(key, f"nothing sets {{{name}}}: add it to variables, or use --set {name}=…")
    return fill(text, variables)


def _expectation(layer: Fields, problems: list[str]) -> Expectation:
    """A signal alone leaves the exit status open; a status alone wants no signal."""
    fields = Fields(layer.any("expect", {}), layer.at("expect"), problems)
    exit_signal = fields.whole("exit_signal", 0, 0)
    exit_status = fields.whole("exit_status", -1 if exit_signal else 0, -1)
    max_rss = fields.whole("max_rss_mib", 0, 0) * _KIB_PER_MIB
    fields.finish()
    return Expectation(None if exit_status < 0 else exit_status, exit_signal, max_rss)


def _dependency_problems(layers: tuple[Layer, ...]) -> list[str]:
    """Layers that are named twice, wait for unknown ones, or stand before what they wait for.

    The order of the file is an order of running, which also rules circles out.
    """
    problems: list[str] = []
    names = [layer.name for layer in layers]
    for index, layer in enumerate(layers):
        if layer.name in names[:index]:
            problems.append(f"layers[{index}].name: a second layer {layer.name!r}")
        for name in layer.after:
            if name not in names[:index]:
                why = "stands below" if name in names else "is unknown"
                problems.append(f"layers[{index}].after: layer {name!r} {why}")
    return problems
