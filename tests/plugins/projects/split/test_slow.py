import time

import pytest


@pytest.mark.parametrize("number", range(5))
def test_slow(number):
    time.sleep(0.05)


class TestMore:
    def test_fails(self):
        raise AssertionError("on purpose")

    @pytest.mark.skip(reason="no")
    def test_skipped(self):
        pass


@pytest.fixture
def setup_takes_time():
    time.sleep(0.02)


def test_setup(setup_takes_time):
    pass
