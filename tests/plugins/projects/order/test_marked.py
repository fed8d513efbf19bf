"""No test here needs another; only the order in which they run is looked at."""

import pytest


@pytest.mark.order(4)
def test_d():
    pass


@pytest.mark.order(2)
def test_b():
    pass


@pytest.mark.order("last")
def test_z():
    pass


@pytest.mark.order("first")
def test_a():
    pass


@pytest.mark.order(3)
def test_c():
    raise ValueError("third")


@pytest.mark.order(after="test_f")
def test_g():
    pass


def test_f():
    pass


@pytest.mark.order(before="test_f")
def test_e():
    pass
