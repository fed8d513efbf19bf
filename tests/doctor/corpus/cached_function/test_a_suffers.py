import os

import shop


def test_suffers():
    os.environ["SHOP_CURRENCY"] = "EUR"
    assert shop.currency() == "EUR"
    shop.currency.cache_clear()
    del os.environ["SHOP_CURRENCY"]
