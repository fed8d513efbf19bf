import shop


def test_changes():
    shop.Basket.limit = 1
    assert shop.Basket().limit == 1
