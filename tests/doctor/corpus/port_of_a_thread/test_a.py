import time

from service import ask


def test_a():
    for _ in range(3):
        assert ask("a") == "a"
        time.sleep(0.02)
