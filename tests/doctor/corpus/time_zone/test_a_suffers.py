import time


def test_suffers():
    assert time.localtime(0).tm_hour == 0
