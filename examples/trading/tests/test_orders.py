from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from trading.orders import OrderError, OrderStore

pytestmark = pytest.mark.database


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_placed_order_is_open_and_stored(store: OrderStore) -> None:
    order = store.place("ACME", "buy", 10, 2_500)
    assert (order.status, order.filled, order.done) == ("open", 0, False)
    assert store.get(order.id) == order


@pytest.mark.parametrize(("side", "quantity", "price"), [("hold", 1, 1), ("buy", 0, 1), ("buy", -5, 1), ("sell", 1, 0)])
def test_an_order_that_makes_no_sense_is_refused(store: OrderStore, side: str, quantity: int, price: int) -> None:
    with pytest.raises(OrderError, match="not a valid order"):
        store.place("ACME", side, quantity, price)
    assert store.find() == []


def test_an_order_is_filled_in_parts(store: OrderStore) -> None:
    order = store.place("ACME", "buy", 10, 2_500)
    assert store.fill(order.id, 4).status == "open"
    assert store.fill(order.id, 6).status == "filled"
    assert store.get(order.id).filled == 10


@pytest.mark.parametrize("quantity", [0, -1, 11])
def test_a_fill_that_does_not_fit_is_refused(store: OrderStore, quantity: int) -> None:
    order = store.place("ACME", "buy", 10, 2_500)
    with pytest.raises(OrderError):
        store.fill(order.id, quantity)
    assert store.get(order.id) == order


def test_a_cancelled_order_stays_so(store: OrderStore) -> None:
    order = store.place("ACME", "sell", 1, 100)
    store.cancel(order.id)
    with pytest.raises(OrderError, match="is cancelled"):
        store.fill(order.id, 1)
    with pytest.raises(OrderError, match="is cancelled"):
        store.cancel(order.id)


def test_an_unknown_order(store: OrderStore) -> None:
    with pytest.raises(OrderError, match="no order 99"):
        store.get(99)


def test_find_filters_by_symbol_and_status(store: OrderStore) -> None:
    ids = [store.place(symbol, "buy", 1, 100).id for symbol in ("ACME", "INIT", "ACME")]
    store.cancel(ids[2])
    assert [order.id for order in store.find("ACME")] == [ids[0], ids[2]]
    assert [order.id for order in store.find(status="open")] == ids[:2]
    assert [order.id for order in store.find("ACME", "cancelled")] == [ids[2]]


def test_positions_are_what_was_filled(store: OrderStore) -> None:
    for symbol, side, filled in [("ACME", "buy", 7), ("ACME", "sell", 2), ("INIT", "buy", 3), ("INIT", "sell", 3)]:
        store.fill(store.place(symbol, side, 10, 100).id, filled)
    store.place("OPEN", "buy", 5, 100)
    assert store.positions() == {"ACME": 5}


def test_a_failed_transaction_leaves_nothing(store: OrderStore) -> None:
    def half_done() -> None:
        with store.transaction() as db:
            db.execute("INSERT INTO orders (symbol, side, quantity, price) VALUES ('ACME', 'buy', 1, 1)")
            raise RuntimeError("no more money")

    with pytest.raises(RuntimeError, match="no more money"):
        half_done()
    assert store.find() == []


def test_expiry_follows_the_clock(tmp_path: Path) -> None:
    clock = Clock()
    with OrderStore(tmp_path / "orders.db", clock=clock) as store:
        short, lasting = store.place("ACME", "buy", 1, 100, ttl=30), store.place("ACME", "buy", 1, 100)
        clock.now += 29
        assert store.expire() == 0
        clock.now += 1
        assert store.expire() == 1
        assert (store.get(short.id).status, store.get(lasting.id).status) == ("expired", "open")


@pytest.mark.waits
@pytest.mark.parametrize("ttl", [0.1, 0.3])
def test_expiry_in_real_time(store: OrderStore, ttl: float) -> None:
    order = store.place("ACME", "buy", 1, 100, ttl=ttl)
    started = time.monotonic()
    while not store.expire():
        assert time.monotonic() - started < 10
        time.sleep(0.01)
    assert store.get(order.id).status == "expired"
    assert time.monotonic() - started >= ttl * 0.9


@pytest.mark.waits
def test_a_writer_waits_for_the_other_one(tmp_path: Path) -> None:
    with OrderStore(tmp_path / "orders.db") as store:
        release = threading.Timer(0.4, lambda: other.execute("COMMIT"))
        other = sqlite3.connect(str(tmp_path / "orders.db"), isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        release.start()
        store.place("ACME", "buy", 1, 100)
        assert time.monotonic() - started >= 0.35
        release.join()
        other.close()


@pytest.mark.waits
def test_a_writer_does_not_wait_for_ever(tmp_path: Path) -> None:
    with OrderStore(tmp_path / "orders.db", busy_timeout=0.3) as store:
        other = sqlite3.connect(str(tmp_path / "orders.db"), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.place("ACME", "buy", 1, 100)
        other.close()
        assert store.place("ACME", "buy", 1, 100).status == "open"


@pytest.mark.parametrize("threads", [2, 8])
def test_no_share_is_sold_twice(store: OrderStore, threads: int) -> None:
    order = store.place("ACME", "sell", 20, 100)
    refused: list[str] = []

    def sell() -> None:
        for _ in range(20):
            try:
                store.fill(order.id, 1)
            except OrderError as error:
                refused.append(str(error))

    sellers = [threading.Thread(target=sell) for _ in range(threads)]
    for seller in sellers:
        seller.start()
    for seller in sellers:
        seller.join()
    assert store.get(order.id).status == "filled"
    assert len(refused) == 20 * (threads - 1)


def test_two_stores_see_each_other(tmp_path: Path) -> None:
    with OrderStore(tmp_path / "orders.db") as one, OrderStore(tmp_path / "orders.db") as two:
        order = one.place("ACME", "buy", 3, 100)
        two.fill(order.id, 3)
        assert one.get(order.id).status == "filled"
