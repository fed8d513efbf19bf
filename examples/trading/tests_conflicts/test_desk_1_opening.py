"""Opens the desk, for the tests of the next file too."""

from __future__ import annotations

import desk
import pytest


@pytest.mark.parametrize(("symbol", "limit"), [("ACME", 100), ("INIT", 50)])
def test_the_desk_opens(symbol: str, limit: int) -> None:
    desk.limits[symbol] = limit
    assert desk.limits[symbol] == limit
