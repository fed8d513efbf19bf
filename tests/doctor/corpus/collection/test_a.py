import pytest


@pytest.mark.parametrize("name", {"pear", "apple", "fig", "plum", "kiwi", "lime", "date", "nut"})
def test_a(name):
    assert name
