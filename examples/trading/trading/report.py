"""Reports as CSV files, and a journal that several processes may append to.

A report appears complete or not at all: it is written beside its place and then renamed. ``python -m trading.report
ORDERS.db REPORT.csv`` exports an order store.
"""

from __future__ import annotations

import csv
import fcntl
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from trading.backtest import Result
from trading.orders import Order, OrderStore

ORDER_COLUMNS = ("id", "symbol", "side", "quantity", "price", "filled", "status")
RESULT_COLUMNS = ("fast", "slow", "trades", "profit", "win rate", "drawdown")


def money(cents: float) -> str:
    """``money(-123456) == "-1234.56"``."""
    return f"{'-' if round(cents) < 0 else ''}{abs(round(cents)) // 100}.{abs(round(cents)) % 100:02d}"


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write all rows or, when one of them fails, nothing; return how many there were."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    count = 0
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row in rows:
                writer.writerow(row)
                count += 1
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()
    return count


def export_orders(path: Path, orders: Iterable[Order]) -> int:
    rows = (
        [order.id, order.symbol, order.side, order.quantity, money(order.price), order.filled, order.status]
        for order in orders
    )
    return write_csv(path, ORDER_COLUMNS, rows)


def export_results(path: Path, results: Iterable[Result]) -> int:
    rows = ([r.fast, r.slow, len(r.trades), money(r.profit), f"{r.win_rate:.1%}", f"{r.drawdown:.1%}"] for r in results)
    return write_csv(path, RESULT_COLUMNS, rows)


class Journal:
    """Lines in a file that several threads and processes append to, each line whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, line: str) -> int:
        """Write the line with its number and return that number; numbers have no gap and no double."""
        if "\n" in line:
            raise ValueError("a journal line has no line break")
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = sum(1 for _ in file) + 1
            file.write(f"{number}\t{line}\n")
            file.flush()
        return number

    def lines(self) -> list[str]:
        if not self.path.exists():
            return []
        return [line.split("\t", 1)[1] for line in self.path.read_text(encoding="utf-8").splitlines()]

    def follow(self, *, start: int = 0, timeout: float = 1.0, poll: float = 0.02) -> Iterator[str]:
        """Yield lines after ``start`` as they come; end when none has come for ``timeout`` seconds."""
        seen, deadline = start, time.monotonic() + timeout
        while time.monotonic() < deadline:
            for line in self.lines()[seen:]:
                seen, deadline = seen + 1, time.monotonic() + timeout
                yield line
            time.sleep(poll)


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m trading.report ORDERS.db REPORT.csv", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    if not source.exists():
        print(f"no such file: {source.name}", file=sys.stderr)
        return 1
    with OrderStore(source) as store:
        print(f"{export_orders(target, store.find())} orders")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
