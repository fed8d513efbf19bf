import pathlib
import random

import pytest
from exchange import Book, fee

from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def book():
    book = Book()
    book.place("buy", 99, 5)
    book.place("sell", 101, 5)
    return book


@pytest.mark.parametrize("price, spread", [(100, 1), (98, 2), (99, 2)])
def test_spread(book, price, spread):
    book.place("buy", price, 1)
    assert book.spread() == spread


def test_empty():
    assert Book().spread() is None


def test_wrong(book):
    print("spread is", book.spread())
    assert book.spread() == 3


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1))
def test_bids_are_sorted(prices):
    book = Book()
    for price in prices:
        book.place("buy", price, 1)
    assert book.bids[0][0] == max(prices)


def test_fee(mocker):
    mocker.patch.dict("os.environ", {"FEE": "0.01"})
    assert fee(100) == 1.0


def test_random():
    print(random.random())


def test_all_quantities(book, subtests):
    for quantity in (0, 1, -1):
        with subtests.test(quantity=quantity):
            book.place("buy", 1, quantity)


@pytest.mark.parametrize("name", ["one", "two"])
def test_connects_at_the_second_attempt(name, request):
    seen = pathlib.Path(request.config.rootpath, f"seen-{name}")
    if not seen.exists():
        seen.touch()
        raise ConnectionError(name)


@pytest.mark.skip(reason="market is closed")
def test_closed():
    pass


def test_snapshot(book, snapshot):
    assert {"bids": book.bids, "asks": book.asks} == snapshot
