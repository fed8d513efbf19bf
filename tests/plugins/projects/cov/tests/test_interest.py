import pytest
from ledger import interest


@pytest.mark.parametrize("balance, rate", [(10, 0.01), (5000, 0.02)])
def test_plain_rate(balance, rate):
    assert interest.rate_for(balance) == rate


def test_unknown_kind():
    with pytest.raises(KeyError):
        interest.rate_for(1, "odd")


def test_monthly():
    assert interest.monthly(1200, 2) > 1200


def test_in_a_thread():
    results = []
    interest.in_background(100, results)
    assert len(results) == 1


@pytest.mark.skip(reason="bonus accounts come later")
def test_bonus():
    assert interest.rate_for(1, "bonus") == 0.05


@pytest.fixture
def broken():
    interest.rate_for(1, "bonus")
    raise RuntimeError("no bonus book")


def test_bonus_book(broken):
    pass
