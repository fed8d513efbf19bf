import sys


def depth(number):
    return 0 if number == 0 else 1 + depth(number - 1)


def test_changes():
    sys.setrecursionlimit(400)
    assert sys.getrecursionlimit() == 400
