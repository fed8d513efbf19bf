import logging
import sys
import warnings

import pytest

log = logging.getLogger("basket")


class Basket:
    def __init__(self):
        self.items = {}

    def add(self, name, quantity=1):
        if quantity < 1:
            raise ValueError(f"bad quantity {quantity}")
        log.info("adding %s", name)
        self.items[name] = self.items.get(name, 0) + quantity


@pytest.fixture
def basket():
    print("basket made")
    yield Basket()
    print("basket put away")


@pytest.mark.parametrize("name, quantity", [("pen", 1), ("ink", 2), ("<b>&amp;", 3), ("Füller", 4)])
def test_add(basket, name, quantity):
    print("adding", name)
    basket.add(name, quantity)
    assert basket.items == {name: quantity}


def test_total_is_wrong(basket):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    log.warning("price missing")
    basket.add("pen", 3)
    assert basket.items == {"pen": 4}


def test_bad_quantity(basket):
    basket.add("pen", 0)


@pytest.mark.skip(reason="no tax yet")
def test_tax():
    raise AssertionError


def test_skip_inside(basket):
    pytest.skip("closed today")


@pytest.mark.xfail(reason="rounding")
def test_rounding():
    assert round(2.5) == 3


@pytest.mark.xfail
def test_unexpectedly_right():
    assert round(2.4) == 2


@pytest.fixture
def broken_store():
    raise RuntimeError("store is down")


def test_store(broken_store):
    pass


@pytest.fixture
def store_that_breaks_later(basket):
    yield basket
    raise RuntimeError("store went down")


def test_passes_then_breaks(store_that_breaks_later):
    print("call is fine")


def test_fails_then_breaks(store_that_breaks_later):
    raise KeyError("both")


def test_warns():
    warnings.warn("prices are old", UserWarning, stacklevel=1)


def test_property(record_property):
    record_property("ticket", 12)
    record_property("tags", ["a", "b"])
