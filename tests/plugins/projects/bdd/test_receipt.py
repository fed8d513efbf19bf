import pytest
from pytest_bdd import given, parsers, scenarios, then

scenarios("receipt.feature")


@given("a receipt", target_fixture="receipt")
def receipt(docstring):
    return docstring


@given("a receipt that cannot be had", target_fixture="receipt")
def no_receipt():
    pytest.skip("printer is off")


@then(parsers.parse("it has {count:d} lines"))
def lines(receipt, count):
    assert len(receipt.splitlines()) == count
