import os


def test_suffers():
    assert "SHOP_MODE" not in os.environ
