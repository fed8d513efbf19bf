from __future__ import annotations

import math
import statistics

import pytest

from trading.indicators import bollinger, crossings, ema, rsi, sma
from trading.market import Candle, closes


@pytest.mark.parametrize(
    ("values", "period", "expected"),
    [
        ([1, 2, 3, 4], 1, [1, 2, 3, 4]),
        ([1, 2, 3, 4], 2, [None, 1.5, 2.5, 3.5]),
        ([1, 2, 3, 4], 4, [None, None, None, 2.5]),
        ([1, 2, 3], 4, [None, None, None]),
        ([], 3, []),
    ],
)
def test_sma(values: list[float], period: int, expected: list[float | None]) -> None:
    assert sma(values, period) == expected


@pytest.mark.parametrize("period", [2, 20, 200])
def test_sma_agrees_with_the_definition(candles: list[Candle], period: int) -> None:
    values = closes(candles)[:2_000]
    for index, average in enumerate(sma(values, period)):
        if index < period - 1:
            assert average is None
        else:
            assert average == pytest.approx(statistics.fmean(values[index - period + 1 : index + 1]))


@pytest.mark.parametrize(
    ("values", "period", "expected"),
    [
        ([2, 4, 6], 1, [2, 4, 6]),
        ([2, 4, 6], 3, [None, None, 4]),
        ([2, 4, 6, 8], 3, [None, None, 4, 6]),
        ([1, 1, 1, 10], 2, [None, 1, 1, 7]),
    ],
)
def test_ema(values: list[float], period: int, expected: list[float | None]) -> None:
    assert ema(values, period) == [None if value is None else pytest.approx(value) for value in expected]


@pytest.mark.parametrize("period", [3, 26])
def test_ema_stays_within_what_it_saw(candles: list[Candle], period: int) -> None:
    values = closes(candles)
    averages = [value for value in ema(values, period) if value is not None]
    assert len(averages) == len(values) - period + 1
    assert min(values) <= min(averages) <= max(averages) <= max(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [(range(1, 10), 100.0), (range(10, 1, -1), 0.0), ([5] * 9, 50.0), ([1, 2] * 5, 60.0)],
    ids=["rising", "falling", "flat", "alternating"],
)
def test_rsi_of_simple_series(values: list[float], expected: float) -> None:
    series = rsi(list(values), 5)
    assert series[:5] == [None] * 5
    assert series[5] == pytest.approx(expected)


def test_rsi_of_a_short_series_is_all_unknown() -> None:
    assert rsi([1, 2, 3], 5) == [None, None, None]


@pytest.mark.parametrize("period", [2, 14])
def test_rsi_is_a_percentage(candles: list[Candle], period: int) -> None:
    series = rsi(closes(candles), period)
    assert len(series) == len(candles)
    assert all(value is not None and 0 <= value <= 100 for value in series[period:])


@pytest.mark.parametrize("width", [0.0, 1.0, 2.5])
def test_bollinger_bands_are_as_wide_as_asked(width: float) -> None:
    values = [1.0, 3.0, 5.0, 7.0]
    band = bollinger(values, 4, width)[-1]
    assert band is not None
    assert band.middle == 4
    assert band.upper - band.middle == pytest.approx(width * statistics.pstdev(values))
    assert band.middle - band.lower == pytest.approx(band.upper - band.middle)


@pytest.mark.cpu
@pytest.mark.parametrize("period", [20, 60])
def test_bollinger_holds_most_of_the_prices(candles: list[Candle], period: int) -> None:
    values = closes(candles)
    bands = bollinger(values, period, 2.0)
    pairs = [(value, band) for value, band in zip(values, bands) if band is not None]
    inside = sum(band.lower <= value <= band.upper for value, band in pairs)
    assert 0.75 < inside / len(pairs) < 1


def test_crossings() -> None:
    fast = [None, 1, 2, 3, 3, 1, 2, 5]
    slow = [None, None, 3, 2, 3, 2, 2, 4]
    assert crossings(fast, slow) == [0, 0, 0, 1, 0, -1, 0, 1]


def test_crossings_of_unequal_series_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1"):
        crossings([1, 2], [1])


@pytest.mark.parametrize("indicator", [sma, ema, rsi, bollinger])
def test_a_period_below_one_is_refused(indicator: object) -> None:
    assert callable(indicator)
    with pytest.raises(ValueError, match="at least 1"):
        indicator([1.0, 2.0], 0)


def test_one_wild_value_leaves_the_average_again() -> None:
    assert not math.isnan(sma([1, 1, 1e9, 1, 1, 1], 3)[-1] or math.nan)
    assert sma([1, 1, 1e9, 1, 1, 1], 3)[-1] == pytest.approx(1)
