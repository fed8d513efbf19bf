from __future__ import annotations

from pathlib import Path

import pytest

from trading.market import COLUMNS, Candle, load, random_walk, resample, save


def test_a_saved_file_loads_as_it_was(tmp_path: Path) -> None:
    walk = list(random_walk(50, seed=1))
    assert save(tmp_path / "candles.csv", walk) == 50
    assert load(tmp_path / "candles.csv") == walk


def test_the_same_seed_gives_the_same_walk() -> None:
    assert list(random_walk(20, seed=3)) == list(random_walk(20, seed=3))
    assert list(random_walk(20, seed=3)) != list(random_walk(20, seed=4))


def test_a_walk_never_falls_below_one_cent() -> None:
    assert min(candle.low for candle in random_walk(2_000, seed=5, start=50, step=60)) == 1


def test_the_shared_file_is_complete(market_file: Path, candles: list[Candle]) -> None:
    assert market_file.read_text().count("\n") == len(candles) + 1 == 24_001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a candle file"),
        ("a,b,c\n", "not a candle file"),
        (",".join(COLUMNS) + "\n0,1,2,1,1\n", "line 2"),
        (",".join(COLUMNS) + "\n0,1,1,1,1,5\n0,1,1,x,1,5\n", "line 3"),
        (",".join(COLUMNS) + "\n0,5,4,1,2,5\n", "out of order"),
        (",".join(COLUMNS) + "\n0,1,1,1,1,-5\n", "negative volume"),
    ],
    ids=["empty", "header", "columns", "number", "prices", "volume"],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_a_resampling_factor_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        resample([], 0)
