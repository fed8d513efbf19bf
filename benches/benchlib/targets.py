"""The targets that the project has set itself, and whether outcomes meet them.

Pure. A target whose runs are missing or went wrong is neither met nor missed: it is "not measured", and that is no
success.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from benchlib import summary
from benchlib.measure import Sample
from benchlib.session import Outcome
from benchlib.summary import Figure, Spread
from benchlib.tables import table

COORDINATOR = "outpace"
OURS = "outpace"
XDIST = ("xdist-load", "xdist-worksteal")
# Seconds that the longest test of a suite sleeps.
LONGEST = {"waiting": 1.15}
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


def _ratio(suite: str, other: str, figure: Figure, sampled: bool = False, ours: str = OURS) -> Measure:
    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, ours) or not _sound(outcome, other):
            return None
        samples = outcome.sampled if sampled else outcome.timed
        return summary.ratios(samples.get(ours, []), samples.get(other, []), figure)

    return measure


def _difference(suite: str, figure: Figure) -> Measure:
    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, OURS) or not _sound(outcome, "serial"):
            return None
        return summary.differences(outcome.timed.get(OURS, []), outcome.timed.get("serial", []), figure)

    return measure


def _best_of(
    suite: str, others: Sequence[str], figure: Figure = summary.wall, sampled: bool = False, ours: str = OURS
) -> Measure:
    """The worst ratio for us: that to the rival which did best."""

    def measure(outcomes: Outcomes) -> Spread | None:
        found = [_ratio(suite, name, figure, sampled, ours)(outcomes) for name in others]
        known = [spread for spread in found if spread is not None]
        return max(known, key=lambda spread: spread.median, default=None)

    return measure


def _to_the_limit(suite: str, ours: str, cores: int = 2) -> Measure:
    """The wall time to the least there can be: the longest test or the work shared out, after a serial run's start."""

    def least(serial: Sample) -> float:
        start = serial.first_test or 0.0
        return start + max(LONGEST.get(suite, 0.0), (serial.cpu - start) / cores)

    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, ours) or not _sound(outcome, "serial"):
            return None
        rounds = zip(outcome.timed.get(ours, []), outcome.timed.get("serial", []))
        return summary.spread([mine.wall / least(serial) for mine, serial in rounds])

    return measure


def _coordinator(suite: str, value: Callable[[float, int, float], float]) -> Measure:
    """`value` gets the coordinator's CPU seconds, its peak memory and the wall time of each sampled run."""

    def measure(outcomes: Outcomes) -> Spread | None:
        outcome = outcomes.get(suite)
        if outcome is None or not _sound(outcome, OURS):
            return None
        values = []
        for sample in outcome.sampled.get(OURS, []):
            use = sample.programs.get(COORDINATOR)
            if use is not None:
                values.append(value(use.cpu, use.peak_pss, sample.wall))
        return summary.spread(values)

    return measure


def _sound(outcome: Outcome, name: str) -> bool:
    samples = [*outcome.timed.get(name, []), *outcome.sampled.get(name, [])]
    return bool(samples) and not any(outcome.wrong(sample) for sample in samples)


CORE = (
    Target("tiny, -n 2: CPU to serial pytest's", 1.3, "×", _ratio("tiny", "serial", summary.cpu)),
    Target("tiny, -n 2: wall to serial pytest's", 0.85, "×", _ratio("tiny", "serial", summary.wall)),
    Target("tiny, -n 2: wall to xdist's (the better)", 0.65, "×", _best_of("tiny", XDIST)),
    Target("one file of 100: wall above serial pytest's", 0.150, " s", _difference("onefile", summary.wall)),
    Target(
        "imports, -n 8: peak PSS to xdist's (the better)",
        0.35,
        "×",
        _best_of("imports", XDIST, summary.peak_pss, True),
    ),
    Target("imports, -n 8: first test after serial pytest's", 0.300, " s", _difference("imports", summary.first_test)),
    Target("tiny: the coordinator's share of a core", 0.03, "", _coordinator("tiny", lambda cpu, _, wall: cpu / wall)),
    Target("tiny: the coordinator's memory", 20.0, " MB", _coordinator("tiny", lambda _, pss, __: pss / 1e6)),
)

AUTO, WARM, AUTO_WARM = "outpace-auto", "outpace-warm", "outpace-auto-warm"
WIDE = ("xdist-load", "xdist-n8", "xdist-n16")
FILES = (*XDIST, "xdist-loadfile")

# Two cores.
SPEED = (
    Target("waiting: wall to xdist -n auto, warm", 0.25, "×", _best_of("waiting", XDIST[:1], ours=AUTO_WARM)),
    Target("waiting: wall to the best of xdist at any -n, cold", 0.6, "×", _best_of("waiting", WIDE, ours=AUTO)),
    Target("waiting: wall to the best of xdist at any -n, warm", 0.5, "×", _best_of("waiting", WIDE, ours=AUTO_WARM)),
    Target("skewed: wall to the best of xdist, warm", 0.6, "×", _best_of("skewed", FILES, ours=WARM)),
    Target("cpu: wall to xdist worksteal", 0.95, "×", _ratio("cpu", "xdist-worksteal", summary.wall)),
    Target("tiny: wall to xdist", 0.5, "×", _ratio("tiny", "xdist-load", summary.wall)),
    Target("tiny: wall to rstest", 0.75, "×", _ratio("tiny", "rstest", summary.wall)),
    Target("huge: wall to xdist", 0.4, "×", _ratio("huge", "xdist-load", summary.wall)),
    Target("huge: wall to rstest", 0.9, "×", _ratio("huge", "rstest", summary.wall)),
    Target("imports, -n 8: wall to xdist", 0.3, "×", _ratio("imports", "xdist-load", summary.wall)),
    Target("imports, -n 8: peak PSS to xdist's", 0.3, "×", _ratio("imports", "xdist-load", summary.peak_pss, True)),
    *(
        Target(f"{suite}: wall to the least there can be, warm", 1.25, "×", _to_the_limit(suite, ours))
        for suite, ours in (
            ("waiting", AUTO_WARM),
            ("skewed", WARM),
            ("cpu", WARM),
            ("tiny", WARM),
            ("huge", WARM),
            ("fixtures", AUTO_WARM),
        )
    ),
)

# What to run for them: suite, workers, whether memory is measured, runners.
PLANS = {
    "core": (
        CORE,
        (
            ("tiny", 2, True, ("serial", *XDIST, OURS)),
            ("onefile", 2, False, ("serial", *XDIST, OURS)),
            ("imports", 8, True, ("serial", *XDIST, OURS)),
        ),
    ),
    "speed": (
        SPEED,
        (
            ("tiny", 2, False, ("serial", "xdist-load", "rstest", OURS, WARM)),
            ("skewed", 2, False, ("serial", *FILES, OURS, WARM)),
            ("cpu", 2, False, ("serial", *XDIST, "rstest", OURS, WARM)),
            ("fixtures", 2, False, ("serial", "xdist-load", "xdist-loadfile", AUTO, AUTO_WARM)),
            ("imports", 8, True, ("serial", "xdist-load", OURS)),
            ("waiting", 2, False, ("serial", *WIDE, AUTO, AUTO_WARM)),
            ("huge", 2, False, ("serial", "xdist-load", "rstest", OURS, WARM)),
        ),
    ),
}


def judge(plan: str, outcomes: Outcomes) -> list[Verdict]:
    return [Verdict(target, target.measure(outcomes)) for target in PLANS[plan][0]]


def verdict_table(verdicts: list[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        unit, value = verdict.target.unit, verdict.value
        measured = "–" if value is None else f"{value.median:.3f}{unit} ({value.least:.3f} – {value.most:.3f})"
        rows.append([verdict.target.text, f"≤ {verdict.target.limit:g}{unit}", measured, verdict.word])
    return table(["target", "limit", "measured", "verdict"], rows)
