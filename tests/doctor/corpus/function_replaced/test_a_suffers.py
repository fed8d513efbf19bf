import time


def test_suffers():
    assert time.time() > 1000
