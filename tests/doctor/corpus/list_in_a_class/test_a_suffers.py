import shop


def test_suffers():
    assert shop.Basket().items == []
