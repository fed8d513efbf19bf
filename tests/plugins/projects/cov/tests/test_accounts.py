import pytest
from ledger import Account, transfer
from ledger.accounts import InsufficientFunds


@pytest.fixture
def rich():
    account = Account("rich")
    account.deposit(500)
    return account


@pytest.mark.parametrize("amount", [1, 10, 100])
def test_deposit(amount):
    account = Account("a")
    account.deposit(amount)
    assert account.balance == amount


def test_deposit_of_nothing():
    with pytest.raises(ValueError):
        Account("a").deposit(0)


def test_withdraw(rich):
    rich.withdraw(200)
    assert rich.balance == 300


def test_withdraw_too_much():
    with pytest.raises(InsufficientFunds):
        Account("poor").withdraw(1)


def test_transfer(rich):
    other = Account("other")
    transfer(rich, other, 50)
    assert other.balance == 50


def test_statement_is_wrong_on_purpose(rich):
    assert rich.statement() == "deposit 400"


def test_statement_of_nothing():
    assert Account("a").statement() == "no movements"
