import orders
import pytest


@pytest.fixture(scope="session", autouse=True)
def broker_url(session_mocker):
    return session_mocker.patch.object(orders.Broker, "send", return_value="session")


@pytest.fixture(scope="class")
def for_class(class_mocker):
    return class_mocker.patch("orders.account_name", return_value="class")


@pytest.mark.parametrize("quantity", range(4))
def test_session_patch(quantity):
    assert orders.place(orders.Broker(), "ABC", quantity) == "session"


class TestClass:
    @pytest.mark.parametrize("number", range(3))
    def test_class_patch(self, for_class, number):
        assert orders.account_name() == "class"


def test_after_class():
    assert orders.account_name() == "nobody"
