import orders
import pytest


@pytest.fixture
def broker(mocker):
    return mocker.create_autospec(orders.Broker, instance=True)


def test_sends(broker):
    broker.send.return_value = 7
    assert orders.place(broker, "ABC", 5) == 7
    broker.send.assert_called_once_with({"symbol": "ABC", "quantity": 5})


def test_retries(broker, mocker):
    sleep = mocker.patch("orders.time.sleep")
    broker.send.side_effect = [ConnectionError, ConnectionError, 9]
    assert orders.place(broker, "ABC", 5) == 9
    assert sleep.call_args_list == [mocker.call(1), mocker.call(2)]


def test_gives_up(broker, mocker):
    mocker.patch("orders.time.sleep")
    broker.send.side_effect = ConnectionError
    with pytest.raises(RuntimeError):
        orders.place(broker, "ABC", 5)


def test_wrong_call_is_explained(broker):
    orders.place(broker, "ABC", 5)
    broker.send.assert_called_once_with({"symbol": "XYZ", "quantity": 5})


def test_spy(mocker):
    spy = mocker.spy(orders, "account_name")
    assert orders.account_name() == "nobody"
    assert spy.spy_return == "nobody"


def test_stub(mocker):
    stub = mocker.stub(name="callback")
    stub(1, key=2)
    stub.assert_called_once_with(1, key=2)


def test_patch_dict(mocker):
    mocker.patch.dict("os.environ", {"ACCOUNT": "ann"})
    assert orders.account_name() == "ann"


@pytest.mark.parametrize("_", range(3))
def test_patches_are_undone(_):
    assert orders.account_name() == "nobody"
    assert orders.time.sleep.__class__.__name__ == "builtin_function_or_method"


def test_os_remove_is_patched_while_the_runner_works(mocker):
    mocker.patch("os.remove")
    mocker.patch("os.read", side_effect=OSError)
    mocker.patch("os.write", side_effect=OSError)
    mocker.patch("socket.socket", side_effect=OSError)
    mocker.patch("time.time", return_value=0.0)
    mocker.patch("time.monotonic", return_value=0.0)
    orders.remove_file("x")
    orders.os.remove.assert_called_once_with("x")


def test_unknown_attribute(broker):
    broker.cancel(1)


@pytest.fixture
def left_open(mocker):
    mocker.patch("orders.account_name", return_value="left")
    raise RuntimeError("fixture breaks with a patch applied")


def test_broken_fixture(left_open):
    pass
