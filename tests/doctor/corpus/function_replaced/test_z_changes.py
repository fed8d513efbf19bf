import time


def test_changes():
    time.time = lambda: 7.0
    assert time.time() == 7.0
