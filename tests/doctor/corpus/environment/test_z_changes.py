import os


def test_changes():
    os.environ["SHOP_MODE"] = "demo"
    assert os.environ["SHOP_MODE"]
