import os
import signal
import time

import pytest

pytestmark = pytest.mark.crashes


@pytest.mark.flaky(reruns=2)
def test_crashes_once(attempt):
    if attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.flaky(reruns=1)
def test_crashes_always(attempt):
    os.kill(os.getpid(), signal.SIGKILL)


def test_crashes_and_may_not_again(attempt):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("number", range(5))
def test_bystander(number):
    time.sleep(0.01)
