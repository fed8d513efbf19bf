import pytest
from pytest_bdd import given, parsers, scenario, scenarios, then, when


class Basket:
    def __init__(self):
        self.things = 0
        self.open = True

    def add(self, count):
        if not self.open:
            raise PermissionError
        self.things += count


@scenario("basket.feature", "One thing")
def test_one_thing_by_name():
    print("after the steps")


scenarios("basket.feature")


@given("an empty basket", target_fixture="basket")
def empty_basket():
    return Basket()


@when(parsers.parse("I add {count:d} {name}"))
def add(basket, count, name):
    print("adding", count, name)
    basket.add(count)


@when("I add these:")
def add_table(basket, datatable):
    for _, count in datatable[1:]:
        basket.add(int(count))


@when("I close the basket")
def close(basket):
    basket.open = False


@then(parsers.re(r"the basket holds (?P<count>\d+) things?"), converters={"count": int})
def holds(basket, count):
    assert basket.things == count


@then("the basket is open")
def is_open(basket):
    assert basket.open


@then("adding 1 pen is refused")
def refused(basket):
    with pytest.raises(PermissionError):
        basket.add(1)
