import threading
import time

import pytest


def wait_for_reply(seconds):
    time.sleep(seconds)


@pytest.mark.timeout(0.4, method="signal")
def test_hangs():
    print("asking")
    wait_for_reply(30)


@pytest.mark.timeout(0.4, method="signal")
def test_hangs_on_a_lock():
    lock = threading.Lock()
    with lock:
        lock.acquire()


@pytest.fixture
def slow_server():
    time.sleep(30)


@pytest.mark.timeout(0.4, method="signal")
def test_hangs_in_setup(slow_server):
    pass


@pytest.fixture
def slow_to_stop():
    yield
    time.sleep(30)


@pytest.mark.timeout(0.4, method="signal")
def test_hangs_in_teardown(slow_to_stop):
    pass


@pytest.mark.timeout(2, method="signal", func_only=True)
def test_func_only():
    time.sleep(0.01)


@pytest.mark.timeout(5, method="signal")
def test_in_time():
    time.sleep(0.01)


@pytest.mark.timeout(0.4, method="signal")
def test_catches_everything_else():
    try:
        wait_for_reply(30)
    except ValueError:
        pass


@pytest.mark.skip(reason="never ends")
@pytest.mark.timeout(0.1)
def test_skipped():
    time.sleep(30)


@pytest.mark.parametrize("number", range(4))
def test_default(number):
    assert number < 4
