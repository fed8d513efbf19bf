import logging

import pytest

PRICES = {"pen": 3, "ink": 8, "cup": -1, "rug": 90}


def test_all_positive(subtests):
    for name, price in PRICES.items():
        with subtests.test("price of", name=name, price=price):
            print("looking at", name)
            assert price > 0


def test_all_fine(subtests):
    for name in PRICES:
        with subtests.test(msg=name):
            assert len(name) == 3


def test_fails_after_subtests(subtests):
    with subtests.test("first"):
        assert PRICES["pen"] == 3
    raise LookupError("after")


def test_skips_one(subtests):
    for name in ("pen", "ink"):
        with subtests.test(name=name):
            if name == "ink":
                pytest.skip("sold out")


def test_with_output(subtests, capsys):
    with subtests.test("output"):
        print("inside")
    assert capsys.readouterr().out == "inside\n"


def test_with_log(subtests, caplog):
    with subtests.test("log"), caplog.at_level(logging.INFO):
        logging.getLogger("prices").info("checked")
        assert caplog.messages == []


@pytest.mark.parametrize("limit", [5, 100])
def test_nested(subtests, limit):
    with subtests.test("outer", limit=limit):
        with subtests.test("inner"):
            assert limit > 10
        assert limit < 50


@pytest.mark.xfail
def test_xfail(subtests):
    with subtests.test("broken"):
        raise AssertionError


@pytest.mark.parametrize("name", sorted(PRICES))
def test_plain(name):
    assert name in PRICES
