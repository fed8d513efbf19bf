from __future__ import annotations

import csv
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trading.backtest import run
from trading.market import Candle, closes
from trading.orders import OrderStore
from trading.report import Journal, export_orders, export_results, money, write_csv

PROJECT = Path(__file__).resolve().parent.parent


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "0.00"),
        (5, "0.05"),
        (123_456, "1234.56"),
        (-123_456, "-1234.56"),
        (-5, "-0.05"),
        (99.6, "1.00"),
        (-0.2, "0.00"),
    ],
)
def test_money(cents: float, text: str) -> None:
    assert money(cents) == text


@pytest.mark.database
def test_orders_as_csv(store: OrderStore, tmp_path: Path) -> None:
    store.place("ACME", "buy", 10, 2_550)
    store.fill(store.place("IN,IT", "sell", 1, 99).id, 1)
    assert export_orders(tmp_path / "orders.csv", store.find()) == 2
    assert rows(tmp_path / "orders.csv")[1:] == [
        ["1", "ACME", "buy", "10", "25.50", "0", "open"],
        ["2", "IN,IT", "sell", "1", "0.99", "1", "filled"],
    ]


@pytest.mark.cpu
def test_results_as_csv(candles: list[Candle], tmp_path: Path) -> None:
    prices = closes(candles)
    results = [run(prices, fast, 60) for fast in (5, 20)]
    export_results(tmp_path / "results.csv", results)
    table = rows(tmp_path / "results.csv")
    assert [row[:3] for row in table[1:]] == [[str(r.fast), "60", str(len(r.trades))] for r in results]


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    def broken() -> Iterator[list[object]]:
        yield [1]
        raise RuntimeError("no more data")

    path = tmp_path / "report.csv"
    path.write_text("the old one")
    with pytest.raises(RuntimeError, match="no more data"):
        write_csv(path, ["a"], broken())
    assert [file.name for file in tmp_path.iterdir()] == ["report.csv"]
    assert path.read_text() == "the old one"


def test_the_journal_numbers_its_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.lines() == []
    assert [journal.append(line) for line in ("open", "fill\tpart", "close")] == [1, 2, 3]
    assert journal.lines() == ["open", "fill\tpart", "close"]


def test_a_journal_line_has_no_line_break(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        Journal(tmp_path / "journal").append("two\nlines")


@pytest.mark.parametrize("writers", [2, 6])
def test_threads_share_a_journal(tmp_path: Path, writers: int) -> None:
    journal, numbers = Journal(tmp_path / "journal"), []

    def write(name: int) -> None:
        for index in range(15):
            numbers.append(Journal(journal.path).append(f"{name}:{index}"))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 15 * writers + 1))
    for name in range(writers):
        mine = [line for line in journal.lines() if line.startswith(f"{name}:")]
        assert mine == [f"{name}:{index}" for index in range(15)]


@pytest.mark.waits
def test_a_writer_waits_for_the_one_before(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    writer = threading.Thread(target=journal.append, args=("second",))
    with journal.path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer.start()
        writer.join(0.3)
        assert writer.is_alive()
        file.write("1\tfirst\n")
    writer.join(10)
    assert journal.path.read_text() == "1\tfirst\n2\tsecond\n"


@pytest.mark.waits
@pytest.mark.parametrize("interval", [0.02, 0.1])
def test_following_a_journal(tmp_path: Path, interval: float) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append("before")

    def write() -> None:
        for index in range(5):
            time.sleep(interval)
            journal.append(str(index))

    writer = threading.Thread(target=write)
    writer.start()
    follower = journal.follow(start=1, timeout=5)
    assert [next(follower) for _ in range(5)] == ["0", "1", "2", "3", "4"]
    writer.join()


@pytest.mark.waits
def test_following_ends_in_silence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append("only")
    started = time.monotonic()
    assert list(journal.follow(timeout=0.4)) == ["only"]
    assert time.monotonic() - started >= 0.4


def export(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trading.report", *arguments],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.database
def test_the_command(store: OrderStore, tmp_path: Path) -> None:
    store.place("ACME", "buy", 1, 100)
    done = export(str(tmp_path / "orders.db"), str(tmp_path / "orders.csv"))
    assert (done.returncode, done.stdout) == (0, "1 orders\n")
    assert len(rows(tmp_path / "orders.csv")) == 2


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("missing.db", "report.csv"), 1)], ids=["usage", "missing"])
def test_the_command_refuses(arguments: tuple[str, ...], code: int) -> None:
    done = export(*arguments)
    assert done.returncode == code
    assert done.stderr
