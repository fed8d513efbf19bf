import indicators
import pytest

PRICES = list(range(200))


@pytest.mark.parametrize("width", [2, 5, 20])
def test_moving_average(benchmark, width):
    assert len(benchmark(indicators.moving_average, PRICES, width)) == 201 - width


def test_highest(benchmark):
    assert benchmark(indicators.highest, PRICES) == 199


def test_highest_is_wrong(benchmark):
    assert benchmark(indicators.highest, PRICES) == 0


def test_pedantic(benchmark):
    benchmark.pedantic(indicators.highest, args=(PRICES,), rounds=2, iterations=3)


@pytest.mark.benchmark(group="unused")
def test_unused(benchmark):
    assert indicators.highest(PRICES) == 199


def test_no_benchmark():
    assert indicators.highest([1]) == 1


@pytest.mark.skip(reason="too slow here")
def test_slow(benchmark):
    benchmark(indicators.highest, PRICES * 1000)


def test_raises(benchmark):
    with pytest.raises(IndexError):
        benchmark(indicators.highest, [])
