import pytest


@pytest.mark.flaky(reruns=2)
def test_second_time(attempt):
    print(f"attempt {attempt}")
    assert attempt == 2


@pytest.mark.flaky(reruns=2)
def test_third_time(attempt):
    assert attempt == 3


@pytest.mark.flaky(reruns=2)
def test_never(attempt):
    assert attempt == 99


@pytest.mark.flaky(reruns=1, reruns_delay=0.1)
def test_with_delay(attempt):
    assert attempt == 2


@pytest.mark.flaky(reruns=3, condition=False)
def test_condition_off(attempt):
    assert attempt == 2


@pytest.mark.flaky(reruns=3, only_rerun="ConnectionError")
@pytest.mark.parametrize("error", [ConnectionError, ValueError])
def test_only_some_errors(attempt, error):
    if attempt == 1:
        raise error("once")


@pytest.fixture
def weak(attempt):
    if attempt == 1:
        raise OSError("server not up yet")
    return attempt


@pytest.mark.flaky(reruns=2)
def test_setup_fails_once(weak):
    assert weak == 2


def test_no_mark(attempt):
    assert attempt == 2


@pytest.mark.parametrize("number", range(4))
def test_steady(number):
    assert number < 4


@pytest.mark.flaky(reruns=1)
def test_skip():
    pytest.skip("not here")


@pytest.mark.flaky(reruns=1)
@pytest.mark.xfail
def test_xfail(attempt):
    assert attempt == 99
