"""Orders in an SQLite file.

One store may be used by several threads, and one file by several stores: every change is one transaction. An order
moves from ``open`` to exactly one of ``filled``, ``cancelled`` and ``expired``, and never back.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    filled INTEGER NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND quantity),
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'filled', 'cancelled', 'expired')),
    expires REAL
);
CREATE INDEX IF NOT EXISTS orders_by_symbol ON orders (symbol, status);
"""
COLUMNS = "id, symbol, side, quantity, price, filled, status, expires"


class OrderError(Exception):
    """The order does not exist, or is not in a state that allows what was asked."""


@dataclass(frozen=True)
class Order:
    id: int
    symbol: str
    side: str
    quantity: int
    price: int
    filled: int
    status: str
    expires: float | None

    @property
    def done(self) -> bool:
        return self.status != "open"


class OrderStore:
    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time, busy_timeout: float = 5.0) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path), timeout=busy_timeout, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> OrderStore:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block is written together, or not at all."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def place(self, symbol: str, side: str, quantity: int, price: int, *, ttl: float | None = None) -> Order:
        expires = None if ttl is None else self._clock() + ttl
        try:
            with self.transaction() as db:
                cursor = db.execute(
                    "INSERT INTO orders (symbol, side, quantity, price, expires) VALUES (?, ?, ?, ?, ?)",
                    (symbol, side, quantity, price, expires),
                )
                return self.get(int(cursor.lastrowid or 0))
        except sqlite3.IntegrityError as error:
            raise OrderError(f"not a valid order: {error}") from error

    def get(self, order_id: int) -> Order:
        with self._lock:
            row = self._db.execute(f"SELECT {COLUMNS} FROM orders WHERE id = ?", (order_id,)).fetchone()
        if row is None:
            raise OrderError(f"no order {order_id}")
        return Order(*row)

    def find(self, symbol: str | None = None, status: str | None = None) -> list[Order]:
        with self._lock:
            rows = self._db.execute(
                f"SELECT {COLUMNS} FROM orders"
                " WHERE symbol = coalesce(?, symbol) AND status = coalesce(?, status) ORDER BY id",
                (symbol, status),
            ).fetchall()
        return [Order(*row) for row in rows]

    def fill(self, order_id: int, quantity: int) -> Order:
        """Fill a part or the rest; more than is left is refused."""
        if quantity < 1:
            raise OrderError(f"cannot fill {quantity}")
        with self.transaction() as db:
            order = self._open(order_id)
            left = order.quantity - order.filled
            if quantity > left:
                raise OrderError(f"order {order_id} has {left} left, not {quantity}")
            status = "filled" if quantity == left else "open"
            db.execute("UPDATE orders SET filled = filled + ?, status = ? WHERE id = ?", (quantity, status, order_id))
            return self.get(order_id)

    def cancel(self, order_id: int) -> Order:
        with self.transaction() as db:
            self._open(order_id)
            db.execute("UPDATE orders SET status = 'cancelled' WHERE id = ?", (order_id,))
            return self.get(order_id)

    def expire(self) -> int:
        """Close the open orders whose time is over; return how many."""
        with self.transaction() as db:
            cursor = db.execute(
                "UPDATE orders SET status = 'expired' WHERE status = 'open' AND expires <= ?", (self._clock(),)
            )
            return cursor.rowcount

    def positions(self) -> dict[str, int]:
        """Shares held per symbol, from what was filled; symbols with none are left out."""
        with self._lock:
            rows = self._db.execute(
                "SELECT symbol, sum(CASE side WHEN 'buy' THEN filled ELSE -filled END) AS held"
                " FROM orders GROUP BY symbol HAVING held != 0 ORDER BY symbol"
            ).fetchall()
        return dict(rows)

    def _open(self, order_id: int) -> Order:
        order = self.get(order_id)
        if order.done:
            raise OrderError(f"order {order_id} is {order.status}")
        return order
