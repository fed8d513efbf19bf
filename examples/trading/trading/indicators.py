"""Technical indicators in plain Python.

Every function returns one value per input value, ``None`` where there is not enough history yet, and needs one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple, Optional

Series = list[Optional[float]]


class Band(NamedTuple):
    lower: float
    middle: float
    upper: float


def _check(period: int) -> None:
    if period < 1:
        raise ValueError(f"period must be at least 1, not {period}")


def sma(values: Sequence[float], period: int) -> Series:
    """Simple moving average of the last ``period`` values."""
    _check(period)
    out: Series = []
    total = 0.0
    for index, value in enumerate(values):
        total += value
        if index >= period:
            total -= values[index - period]
        out.append(total / period if index >= period - 1 else None)
    return out


def ema(values: Sequence[float], period: int) -> Series:
    """Exponential moving average, seeded with the simple average of the first ``period`` values."""
    _check(period)
    weight = 2.0 / (period + 1)
    out: Series = []
    current: float | None = None
    for index, value in enumerate(values):
        if index == period - 1:
            current = sum(values[:period]) / period
        elif current is not None:
            current += weight * (value - current)
        out.append(current)
    return out


def rsi(values: Sequence[float], period: int = 14) -> Series:
    """Relative strength index (Wilder's smoothing), 0 to 100; 50 where the price did not move at all."""
    _check(period)
    out: Series = [None] * min(len(values), period)
    if len(values) <= period:
        return out
    gain = loss = 0.0
    for before, after in zip(values, values[1 : period + 1]):
        gain += max(after - before, 0.0) / period
        loss += max(before - after, 0.0) / period
    out.append(_strength(gain, loss))
    for before, after in zip(values[period:], values[period + 1 :]):
        gain += (max(after - before, 0.0) - gain) / period
        loss += (max(before - after, 0.0) - loss) / period
        out.append(_strength(gain, loss))
    return out


def _strength(gain: float, loss: float) -> float:
    return 100.0 * gain / (gain + loss) if gain + loss else 50.0


def bollinger(values: Sequence[float], period: int = 20, width: float = 2.0) -> list[Band | None]:
    """Bands of ``width`` standard deviations around the simple moving average."""
    _check(period)
    out: list[Band | None] = []
    for index, middle in enumerate(sma(values, period)):
        if middle is None:
            out.append(None)
            continue
        window = values[index - period + 1 : index + 1]
        deviation = sqrt(sum((value - middle) ** 2 for value in window) / period)
        out.append(Band(middle - width * deviation, middle, middle + width * deviation))
    return out


def crossings(fast: Sequence[float | None], slow: Sequence[float | None]) -> list[int]:
    """+1 where ``fast`` crosses above ``slow``, -1 where it crosses below, else 0."""
    if len(fast) != len(slow):
        raise ValueError(f"series differ in length: {len(fast)} and {len(slow)}")
    out: list[int] = []
    side = 0
    for one, other in zip(fast, slow):
        now = 0 if one is None or other is None else (one > other) - (one < other)
        out.append(now if now and side and now != side else 0)
        side = now or side
    return out
