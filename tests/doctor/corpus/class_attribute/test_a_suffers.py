import shop


def test_suffers():
    assert shop.Basket.limit == 10
