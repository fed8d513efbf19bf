import os


def test_a():
    os.environ["SHOP_DEBUG"] = "1"
    assert os.environ["SHOP_DEBUG"]


def test_b():
    assert True
