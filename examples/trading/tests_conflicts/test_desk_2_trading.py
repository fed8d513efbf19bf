"""Trades within limits that nobody in this file has set."""

from __future__ import annotations

import time

import desk
import pytest


@pytest.mark.parametrize("quantity", [10, 20, 50])
@pytest.mark.parametrize("symbol", ["ACME", "INIT"])
def test_a_trade_is_within_its_limit(symbol: str, quantity: int) -> None:
    time.sleep(0.05)
    assert quantity <= desk.limits[symbol]
