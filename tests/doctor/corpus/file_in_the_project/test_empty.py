import shop


def test_empty():
    assert shop.export([]) == []
