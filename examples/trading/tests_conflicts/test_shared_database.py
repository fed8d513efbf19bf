"""Every test empties the one test database and counts what it then places."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading.orders import OrderStore

DATABASE = Path(tempfile.gettempdir()) / "trading-example-orders.db"


@pytest.fixture
def store() -> Iterator[OrderStore]:
    with OrderStore(DATABASE) as store:
        with store.transaction() as db:
            db.execute("DELETE FROM orders")
        yield store


@pytest.mark.parametrize("orders", range(1, 9))
def test_the_store_holds_what_was_placed(store: OrderStore, orders: int) -> None:
    for _ in range(orders):
        store.place("ACME", "buy", 1, 100)
    time.sleep(0.2)
    assert len(store.find()) == orders
