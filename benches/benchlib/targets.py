"""The targets that the project has set itself, and whether outcomes meet them.

Pure. A target whose runs are missing or went wrong is neither met nor missed: it is "not measured", and that is no
success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Optional

from benchlib import summary
from benchlib.session import Outcome
from benchlib.summary import Figure, Spread
from benchlib.tables import table

COORDINATOR = "outpace"
XDIST = ("xdist-load", "xdist-worksteal")
Outcomes = Mapping[str, Outcome]


Measure = Callable[[Outcomes], Optional[Spread]]


@dataclass(frozen=True)
class Target:
    """`measure` gives the spread of the figure that must not exceed `limit`."""

    text: str
    limit: float
    unit: str
    measure: Measure


@dataclass(frozen=True)
class Verdict:
    target: Target
    value: Spread | None

    @property
    def word(self) -> str:
        if self.value is None:
            return "not measured"
        return "met" if round(self.value.median, 6) <= self.target.limit else "missed"


def _ratio(suite: str, other: str, figure: Figure, sampled: bool = False) -> Measure:
    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, "outpace") or not _sound(outcome, other):
            return None
        samples = outcome.sampled if sampled else outcome.timed
        return summary.ratios(samples.get("outpace", []), samples.get(other, []), figure)

    return measure


def _difference(suite: str, figure: Figure) -> Measure:
    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, "outpace") or not _sound(outcome, "serial"):
            return None
        return summary.differences(outcome.timed.get("outpace", []), outcome.timed.get("serial", []), figure)

    return measure


def _better_xdist(suite: str, figure: Figure, sampled: bool = False) -> Measure:
    """The worse ratio for us: that to the xdist mode which did better."""

    def measure(outcomes: Outcomes) -> Spread | None:
        found = [_ratio(suite, name, figure, sampled)(outcomes) for name in XDIST]
        known = [spread for spread in found if spread is not None]
        return max(known, key=lambda spread: spread.median, default=None)

    return measure


def _coordinator(suite: str, value: Callable[[float, int, float], float]) -> Measure:
    """`value` gets the coordinator's CPU seconds, its peak memory and the wall time of each sampled run."""

    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, "outpace"):
            return None
        values = []
        for sample in outcome.sampled.get("outpace", []):
            use = sample.programs.get(COORDINATOR)
            if use is not None:
                values.append(value(use.cpu, use.peak_pss, sample.wall))
        return summary.spread(values)

    return measure


def _sound(outcome: Outcome, name: str) -> bool:
    samples = [*outcome.timed.get(name, []), *outcome.sampled.get(name, [])]
    return bool(samples) and not any(outcome.wrong(sample) for sample in samples)


TARGETS = (
    Target("tiny, -n 2: CPU to serial pytest's", 1.3, "×", _ratio("tiny", "serial", summary.cpu)),
    Target("tiny, -n 2: wall to serial pytest's", 0.85, "×", _ratio("tiny", "serial", summary.wall)),
    Target("tiny, -n 2: wall to xdist's (the better)", 0.65, "×", _better_xdist("tiny", summary.wall)),
    Target("one file of 100: wall above serial pytest's", 0.150, " s", _difference("onefile", summary.wall)),
    Target(
        "imports, -n 8: peak PSS to xdist's (the better)",
        0.35,
        "×",
        _better_xdist("imports", summary.peak_pss, True),
    ),
    Target("imports, -n 8: first test after serial pytest's", 0.300, " s", _difference("imports", summary.first_test)),
    Target("tiny: the coordinator's share of a core", 0.03, "", _coordinator("tiny", lambda cpu, _, wall: cpu / wall)),
    Target("tiny: the coordinator's memory", 20.0, " MB", _coordinator("tiny", lambda _, pss, __: pss / 1e6)),
)


def judge(outcomes: Outcomes) -> list[Verdict]:
    return [Verdict(target, target.measure(outcomes)) for target in TARGETS]


def verdict_table(verdicts: list[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        unit, value = verdict.target.unit, verdict.value
        measured = "–" if value is None else f"{value.median:.3f}{unit} ({value.least:.3f} – {value.most:.3f})"
        rows.append([verdict.target.text, f"≤ {verdict.target.limit:g}{unit}", measured, verdict.word])
    return table(["target", "limit", "measured", "verdict"], rows)
