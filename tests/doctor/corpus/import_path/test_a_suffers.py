import sys


def test_suffers():
    assert "/nowhere" not in sys.path
