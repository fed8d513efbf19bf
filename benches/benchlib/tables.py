"""Turn outcomes into a Markdown table and into JSON. Pure: it reads no clock and no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchlib import summary
from benchlib.measure import Sample
from benchlib.session import Outcome
from benchlib.summary import Spread

HEADER = (
    "runner",
    "wall, s",
    "min – max",
    "wall ratio",
    "CPU, s",
    "CPU ratio",
    "first test, s",
    "peak PSS, MB",
    "PSS ratio",
    "right runs",
)


def figure(spread: Spread | None, digits: int = 2, scale: float = 1.0) -> str:
    return "–" if spread is None else f"{spread.median * scale:.{digits}f}"


def figure_with_spread(spread: Spread | None, digits: int = 2) -> str:
    if spread is None:
        return "–"
    return f"{spread.median:.{digits}f} ({spread.least:.{digits}f} – {spread.most:.{digits}f})"


def row(outcome: Outcome, name: str, baseline: str) -> list[str]:
    timed, sampled = outcome.timed.get(name, []), outcome.sampled.get(name, [])
    base, sampled_base = outcome.timed.get(baseline, []), outcome.sampled.get(baseline, [])
    wall = summary.figures(timed, summary.wall)
    right = sum(not outcome.wrong(sample) for sample in [*timed, *sampled])
    return [
        name,
        figure(wall),
        "–" if wall is None else f"{wall.least:.2f} – {wall.most:.2f}",
        figure_with_spread(summary.ratios(timed, base, summary.wall)),
        figure(summary.figures(timed, summary.cpu)),
        figure_with_spread(summary.ratios(timed, base, summary.cpu)),
        figure(summary.figures(timed, summary.first_test)),
        figure(summary.figures(sampled, summary.peak_pss), 0, 1e-6),
        figure_with_spread(summary.ratios(sampled, sampled_base, summary.peak_pss)),
        f"{right} of {len(timed) + len(sampled)}",
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def section(outcome: Outcome, baseline: str) -> str:
    rows = [row(outcome, runner.name, baseline) for runner in outcome.experiment.runners]
    used = [index for index in range(len(HEADER)) if index == 0 or any(cells[index] not in ("–", "") for cells in rows)]
    body = table([HEADER[index] for index in used], [[cells[index] for index in used] for cells in rows])
    notes = complaints(outcome)
    tail = "\n\n" + "\n".join(f"- {note}" for note in notes) if notes else ""
    tests = f"{outcome.passed} tests" if outcome.passed is not None else "unknown number of tests"
    return f"### {outcome.experiment.title}\n\n{tests}; ratios to {baseline}.\n\n{body}{tail}\n"


def complaints(outcome: Outcome) -> list[str]:
    """What a reader must know before trusting the figures."""
    checks: Sequence[tuple[Callable[[Sample], bool], str]] = (
        (lambda sample: sample.timed_out, "timed out"),
        (lambda sample: not sample.timed_out and sample.exit_code != 0, "failed"),
        (lambda sample: not sample.proved, "was not what ran the tests"),
        (lambda sample: sample.ok and sample.passed != outcome.passed, f"did not pass {outcome.passed} tests"),
        (lambda sample: sample.left_behind > 0, "left processes behind"),
        (lambda sample: sample.lost_cpu > 0.05 * sample.cpu, "used CPU time that was not counted"),
    )
    found = []
    for runner in outcome.experiment.runners:
        samples = [*outcome.timed.get(runner.name, []), *outcome.sampled.get(runner.name, [])]
        for check, text in checks:
            count = sum(map(check, samples))
            if count:
                found.append(f"{runner.name} {text} in {count} of {len(samples)} runs")
    return found


def report(facts: Mapping[str, str], outcomes: Sequence[Outcome], baseline: str, rounds: int) -> str:
    lines = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    head = f"{lines}\n\nMedians of {rounds} rounds of runs made in turn; a ratio is the median of the rounds' ratios.\n"
    return "\n".join([head, *(section(outcome, baseline) for outcome in outcomes)])


def as_json(facts: Mapping[str, str], outcomes: Sequence[Outcome], baseline: str) -> dict[str, Any]:
    return {
        "facts": dict(facts),
        "baseline": baseline,
        "experiments": [
            {
                "suite": outcome.experiment.suite,
                "workers": outcome.experiment.workers,
                "warm": outcome.experiment.warm,
                "passed": outcome.passed,
                "timed": {name: [asdict(sample) for sample in samples] for name, samples in outcome.timed.items()},
                "sampled": {name: [asdict(sample) for sample in samples] for name, samples in outcome.sampled.items()},
            }
            for outcome in outcomes
        ],
    }
