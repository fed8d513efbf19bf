"""Candles: what a price did in one period, where they come from and how they are stored.

The random walk is seeded by its caller and touches no global generator.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Candle:
    """One period; prices in cents, time in seconds since the epoch."""

    time: int
    open: int
    high: int
    low: int
    close: int
    volume: int

    def __post_init__(self) -> None:
        if not self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"candle at {self.time}: prices out of order")
        if self.volume < 0:
            raise ValueError(f"candle at {self.time}: negative volume")


def random_walk(count: int, *, seed: int, start: int = 10_000, step: int = 40, period: int = 60) -> Iterator[Candle]:
    """Yield ``count`` candles of a walk that never falls below one cent."""
    source = random.Random(seed)
    price = start
    for index in range(count):
        opened = price
        moves = [source.randint(-step, step) for _ in range(4)]
        path = [opened]
        for move in moves:
            path.append(max(1, path[-1] + move))
        price = path[-1]
        yield Candle(index * period, opened, max(path), min(path), price, source.randint(1, 500))


def closes(candles: Iterable[Candle]) -> list[float]:
    return [float(candle.close) for candle in candles]


def resample(candles: Iterable[Candle], factor: int) -> list[Candle]:
    """Merge every ``factor`` candles into one; an incomplete last group is kept."""
    if factor < 1:
        raise ValueError("factor must be at least 1")
    merged: list[Candle] = []
    group: list[Candle] = []
    for candle in candles:
        group.append(candle)
        if len(group) == factor:
            merged.append(_merge(group))
            group = []
    if group:
        merged.append(_merge(group))
    return merged


def _merge(group: list[Candle]) -> Candle:
    return Candle(
        time=group[0].time,
        open=group[0].open,
        high=max(candle.high for candle in group),
        low=min(candle.low for candle in group),
        close=group[-1].close,
        volume=sum(candle.volume for candle in group),
    )


def save(path: Path, candles: Iterable[Candle]) -> int:
    """Write candles as CSV and return how many there were."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for candle in candles:
            writer.writerow([getattr(candle, column) for column in COLUMNS])
            count += 1
    return count


def load(path: Path) -> list[Candle]:
    """Read what :func:`save` wrote; a malformed row is an error that names its line."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        if tuple(next(reader, ())) != COLUMNS:
            raise ValueError(f"{path.name}: not a candle file")
        candles = []
        for row in reader:
            try:
                candles.append(Candle(*map(int, row)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{path.name}, line {reader.line_num}: {error}") from error
        return candles
