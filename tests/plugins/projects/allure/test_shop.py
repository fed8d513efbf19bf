import logging
import time

import pytest

import allure


@pytest.fixture(scope="session")
def shop():
    yield "shop"
    time.sleep(0.01)


@pytest.fixture(scope="module", autouse=True)
def counter(shop):
    return shop


@pytest.fixture
def basket():
    with allure.step("make a basket"):
        yield []
    allure.attach("bye", name="after", attachment_type=allure.attachment_type.TEXT)


@allure.step("add {name}")
def add(basket, name):
    basket.append(name)


@allure.epic("shop")
@allure.feature("basket")
@allure.story("adding")
@allure.severity(allure.severity_level.CRITICAL)
@pytest.mark.parametrize("name", ["pen", "ink", "cup"])
def test_add(basket, name):
    time.sleep(0.02)
    add(basket, name)
    assert basket == [name]


@allure.title("A wrong total")
@allure.description("fails on purpose")
@allure.issue("12", "https://shop.invalid/12")
def test_wrong(basket):
    print("to stdout")
    logging.getLogger("shop").warning("to log")
    with allure.step("outer"), allure.step("inner"):
        add(basket, "pen")
        assert basket == ["ink"]


def test_attachments():
    allure.attach("text", name="one", attachment_type=allure.attachment_type.TEXT)
    allure.attach(b"\x00\x01", name="two", attachment_type=allure.attachment_type.PNG)


def test_raises():
    raise LookupError("not an assertion")


@pytest.mark.skip(reason="closed")
def test_skipped():
    pass


@pytest.mark.xfail(reason="known")
def test_known():
    raise AssertionError


@pytest.fixture
def broken():
    with allure.step("breaks"):
        raise RuntimeError("no")


def test_broken_fixture(broken):
    pass


@pytest.fixture
def breaks_later():
    yield
    raise RuntimeError("later")


def test_teardown(breaks_later):
    pass


@allure.tag("dyn")
@pytest.mark.parametrize("number", range(6))
def test_dynamic(number):
    time.sleep(0.02)
    allure.dynamic.title(f"number {number}")
    allure.dynamic.label("shelf", str(number))
    allure.dynamic.parameter("extra", number * 2)
