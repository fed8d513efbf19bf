import os


def test_a():
    assert "PYTEST_XDIST_WORKER" not in os.environ


def test_b():
    assert True
