"""Every test exports its own orders to the one report path of the application."""

from __future__ import annotations

import csv
import tempfile
import time
from pathlib import Path

import pytest

from trading.report import ORDER_COLUMNS, write_csv

REPORT = Path(tempfile.gettempdir()) / "trading-example-report.csv"


@pytest.mark.parametrize("trader", ["ann", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"])
def test_a_trader_finds_their_own_report(trader: str) -> None:
    write_csv(REPORT, ORDER_COLUMNS, [[1, trader, "buy", 1, "1.00", 0, "open"]])
    time.sleep(0.2)
    with REPORT.open(newline="") as file:
        assert [row[1] for row in csv.reader(file)][1:] == [trader]
    REPORT.unlink()
