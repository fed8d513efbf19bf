import time

from service import ask


def test_b():
    for _ in range(3):
        assert ask("b") == "b"
        time.sleep(0.02)
