"""Figures from repeated runs: medians, spreads, and ratios of runs that were made in turn.

Pure. A ratio is taken within each round, where two commands met the same state of the machine, and the median of those
ratios is reported; the ratio of two medians would mix rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Optional

from benchlib.measure import Sample

Figure = Callable[[Sample], Optional[float]]


@dataclass(frozen=True)
class Spread:
    median: float
    least: float
    most: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    return Spread(median(values), min(values), max(values), len(values)) if values else None


def figures(samples: Sequence[Sample], figure: Figure) -> Spread | None:
    """The spread of one figure over the runs that went well and have it."""
    values = [value for sample in samples if sample.ok and (value := figure(sample)) is not None]
    return spread(values)


def paired(
    samples: Sequence[Sample], others: Sequence[Sample], figure: Figure, combine: Callable[[float, float], float]
) -> Spread | None:
    """Combine the figures of each round; a round in which either run failed is left out."""
    values = []
    for sample, other in zip(samples, others):
        one, two = figure(sample), figure(other)
        if sample.ok and other.ok and one is not None and two is not None:
            values.append(combine(one, two))
    return spread(values)


def ratios(samples: Sequence[Sample], others: Sequence[Sample], figure: Figure) -> Spread | None:
    return paired(samples, others, figure, lambda one, two: one / two if two else float("inf"))


def differences(samples: Sequence[Sample], others: Sequence[Sample], figure: Figure) -> Spread | None:
    return paired(samples, others, figure, lambda one, two: one - two)


def wall(sample: Sample) -> float | None:
    return sample.wall


def cpu(sample: Sample) -> float | None:
    return sample.cpu


def first_test(sample: Sample) -> float | None:
    return sample.first_test


def peak_pss(sample: Sample) -> float | None:
    return sample.peak_pss
