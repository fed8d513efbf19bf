"""Each hanging test here ends its process: pytest-timeout's thread method dumps all stacks and calls os._exit."""

import threading
import time

import pytest


def wait_for_reply(seconds):
    time.sleep(seconds)


@pytest.mark.parametrize("number", range(3))
def test_before(number):
    time.sleep(0.01)


@pytest.mark.hangs
@pytest.mark.timeout(0.4, method="thread")
def test_hangs():
    wait_for_reply(30)


@pytest.mark.hangs
@pytest.mark.timeout(0.4, method="thread")
def test_hangs_beside_a_thread():
    threading.Thread(target=wait_for_reply, args=(30,), name="helper-thread", daemon=True).start()
    wait_for_reply(30)


@pytest.mark.parametrize("number", range(3))
def test_after(number):
    time.sleep(0.01)


@pytest.mark.timeout(5, method="thread")
def test_in_time():
    time.sleep(0.01)
