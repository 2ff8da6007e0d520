"""A run in figures, for people: on the terminal, and as Markdown to be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.checker import Finding

#: Findings of one kind that are shown.
_SHOWN = 10


@dataclass
class Result:
    """All that a run found; ``figures`` by section, in order."""

    seed: int
    date: str
    commit: str
    figures: dict[str, Mapping[str, object]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.findings

    @property
    def verdict(self) -> str:
        if self.good:
            return "Nothing was lost."
        kinds = Counter(finding.kind for finding in self.findings)
        return "Broken promises: " + ", ".join(f"{kind} {n}" for kind, n in kinds.most_common())


def markdown(result: Result) -> str:
    """The whole result, to be committed."""
    lines = [
        f"Seed {result.seed}, {result.date}, commit {result.commit}. **{result.verdict}**",
        "",
    ]
    for section, figures in result.figures.items():
        lines += [f"| {section} | |", "| --- | ---: |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in figures.items()]
        lines += [""]
    if result.findings:
        lines += ["| broken promise | frame | |", "| --- | --- | --- |"]
        lines += [f"| {kind} | {key} | {text} |" for kind, key, text in _some(result.findings)]
        lines += [""]
    return "\n".join(lines)


def table(result: Result) -> str:
    """The same for a terminal."""
    lines = [f"seed {result.seed}, {result.date}, commit {result.commit}"]
    for section, figures in result.figures.items():
        lines += ["", section]
        lines += [f"  {name:<48}{_shown(value):>10}" for name, value in figures.items()]
    lines += ["", result.verdict]
    lines += [f"  {kind}: {key} {text}" for kind, key, text in _some(result.findings)]
    return "\n".join(lines)


def _some(findings: Sequence[Finding]) -> Iterable[Finding]:
    shown: Counter[str] = Counter()
    for finding in sorted(findings):
        shown[finding.kind] += 1
        if shown[finding.kind] <= _SHOWN:
            yield finding


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
