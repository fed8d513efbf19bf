from __future__ import annotations

import math

import pytest

from trading.backtest import Result, max_drawdown, run, sharpe, sweep
from trading.market import Candle, closes, random_walk, resample

UP_AND_DOWN = [float(value) for value in [*range(100, 80, -1), *range(80, 140), *range(140, 90, -1)]]


def test_a_rise_between_two_falls_is_one_winning_trade() -> None:
    result = run(UP_AND_DOWN, 3, 8, fee=0)
    assert len(result.trades) == 1
    (trade,) = result.trades
    assert trade.bought_at < trade.sold_at
    assert result.win_rate == 1
    assert result.profit == pytest.approx(result.equity[-1] - 1_000_000)


def test_fees_come_out_of_the_profit() -> None:
    free, paid = run(UP_AND_DOWN, 3, 8, fee=0), run(UP_AND_DOWN, 3, 8, fee=0.01)
    assert paid.profit < free.profit
    assert paid.trades[0].fees > 0
    assert paid.profit == pytest.approx(paid.equity[-1] - 1_000_000)


def test_a_position_is_closed_with_the_last_price() -> None:
    rising = UP_AND_DOWN[:70]
    result = run(rising, 3, 8)
    assert result.trades[-1].left == len(rising) - 1
    assert result.trades[-1].sold_at == rising[-1]


@pytest.mark.parametrize("prices", [[], [1.0], [5.0] * 100], ids=["empty", "one", "flat"])
def test_nothing_to_trade(prices: list[float]) -> None:
    result = run(prices, 2, 5)
    assert result.trades == ()
    assert result.profit == result.win_rate == result.drawdown == 0


@pytest.mark.parametrize(("fast", "slow"), [(5, 5), (20, 5)])
def test_the_fast_period_must_be_shorter(fast: int, slow: int) -> None:
    with pytest.raises(ValueError, match="shorter"):
        run([1.0], fast, slow)


def test_an_unknown_average_is_refused() -> None:
    with pytest.raises(ValueError, match="ema, sma"):
        run([1.0], 1, 2, average="median")


@pytest.mark.parametrize(
    ("equity", "expected"),
    [([], 0), ([1, 2, 3], 0), ([4, 2, 4, 1], 0.75), ([10, 5, 20, 15], 0.5)],
)
def test_max_drawdown(equity: list[float], expected: float) -> None:
    assert max_drawdown(equity) == expected


def test_sharpe() -> None:
    assert sharpe([]) == sharpe([1, 1, 1, 1]) == 0
    assert sharpe([100, 110, 111, 130]) > 0 > sharpe([130, 111, 110, 100])


@pytest.mark.cpu
@pytest.mark.parametrize("average", ["sma", "ema"])
@pytest.mark.parametrize("slow", [30, 60, 120, 240])
def test_the_books_balance(candles: list[Candle], average: str, slow: int) -> None:
    """What the trades earned is what the account grew by, whatever the parameters."""
    prices = closes(candles)
    for fast in (5, 10, 20):
        result = run(prices, fast, slow, average=average)
        assert result.trades
        assert result.profit == pytest.approx(result.equity[-1] - 1_000_000)
        assert all(one.left <= two.entered for one, two in zip(result.trades, result.trades[1:]))


@pytest.fixture(scope="module")
def optimised(candles: list[Candle]) -> list[Result]:
    """An expensive search, made once for this module."""
    return sweep(closes(candles), range(5, 30, 5), range(20, 120, 20))


@pytest.mark.cpu
def test_a_sweep_tries_every_sensible_pair(optimised: list[Result]) -> None:
    assert len({(result.fast, result.slow) for result in optimised}) == len(optimised) == 23
    assert all(result.fast < result.slow for result in optimised)


@pytest.mark.cpu
def test_a_sweep_is_sorted_by_profit(optimised: list[Result]) -> None:
    profits = [result.profit for result in optimised]
    assert profits == sorted(profits, reverse=True)


@pytest.mark.cpu
@pytest.mark.parametrize("seed", range(3))
def test_no_strategy_beats_a_random_walk_by_much(seed: int) -> None:
    prices = closes(random_walk(16_000, seed=seed))
    returns = [run(prices, fast, 50).profit / 1_000_000 for fast in (5, 10, 20)]
    assert all(math.isfinite(value) and -1 < value < 3 for value in returns)


@pytest.mark.parametrize("factor", [1, 7])
def test_resampling_keeps_what_counts(candles: list[Candle], factor: int) -> None:
    merged = resample(candles, factor)
    assert len(merged) == -(-len(candles) // factor)
    assert [candle.time for candle in merged[:3]] == [0, 60 * factor, 120 * factor]
    assert sum(candle.volume for candle in merged) == sum(candle.volume for candle in candles)
    assert max(candle.high for candle in merged) == max(candle.high for candle in candles)
    assert (merged[0].open, merged[-1].close) == (candles[0].open, candles[-1].close)
