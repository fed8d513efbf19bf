"""Run a moving-average strategy over past prices, and search for its best parameters.

Long only, one position at a time, filled at the close of the candle that gave the signal. Money is in cents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Callable

from trading.indicators import Series, crossings, ema, sma

AVERAGES: Mapping[str, Callable[[Sequence[float], int], Series]] = {"sma": sma, "ema": ema}


@dataclass(frozen=True)
class Trade:
    entered: int
    left: int
    quantity: int
    bought_at: float
    sold_at: float
    fees: float

    @property
    def profit(self) -> float:
        return self.quantity * (self.sold_at - self.bought_at) - self.fees


@dataclass(frozen=True)
class Result:
    fast: int
    slow: int
    trades: tuple[Trade, ...]
    equity: tuple[float, ...]

    @property
    def profit(self) -> float:
        return sum(trade.profit for trade in self.trades)

    @property
    def win_rate(self) -> float:
        return sum(trade.profit > 0 for trade in self.trades) / len(self.trades) if self.trades else 0.0

    @property
    def drawdown(self) -> float:
        return max_drawdown(self.equity)


def max_drawdown(equity: Sequence[float]) -> float:
    """The deepest fall from a peak, as a share of that peak."""
    peak = worst = 0.0
    for value in equity:
        peak = max(peak, value)
        if peak:
            worst = max(worst, (peak - value) / peak)
    return worst


def sharpe(equity: Sequence[float]) -> float:
    """Mean return per step over its standard deviation; 0 for a flat line."""
    returns = [after / before - 1 for before, after in zip(equity, equity[1:]) if before]
    if len(returns) < 2:
        return 0.0
    mean = sum(returns) / len(returns)
    spread = sqrt(sum((value - mean) ** 2 for value in returns) / (len(returns) - 1))
    return mean / spread if spread else 0.0


def run(
    prices: Sequence[float],
    fast: int,
    slow: int,
    *,
    average: str = "sma",
    cash: float = 1_000_000.0,
    fee: float = 0.001,
) -> Result:
    """Buy when the fast average crosses above the slow one, sell when it crosses back; close out at the end."""
    if fast >= slow:
        raise ValueError(f"the fast period ({fast}) must be shorter than the slow one ({slow})")
    if average not in AVERAGES:
        raise ValueError(f"unknown average {average!r}; there are {', '.join(sorted(AVERAGES))}")
    mean = AVERAGES[average]
    trades: list[Trade] = []
    equity: list[float] = []
    held, entered, paid = 0, 0, 0.0
    last = len(prices) - 1
    for index, (price, signal) in enumerate(zip(prices, crossings(mean(prices, fast), mean(prices, slow)))):
        if held and (signal < 0 or index == last):
            fees = fee * held * (paid + price)
            trades.append(Trade(entered, index, held, paid, price, fees))
            cash += held * price - fee * held * price
            held = 0
        elif not held and signal > 0 and index != last:
            held = int(cash / (price * (1 + fee)))
            entered, paid = index, price
            cash -= held * price * (1 + fee)
        equity.append(cash + held * price)
    return Result(fast, slow, tuple(trades), tuple(equity))


def sweep(prices: Sequence[float], fasts: Iterable[int], slows: Iterable[int], *, average: str = "sma") -> list[Result]:
    """Every sensible pair of periods, the most profitable first; ties keep the shorter periods first."""
    pairs = sorted((fast, slow) for fast in set(fasts) for slow in set(slows) if fast < slow)
    results = [run(prices, fast, slow, average=average) for fast, slow in pairs]
    return sorted(results, key=lambda result: -result.profit)
