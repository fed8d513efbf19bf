import shop


def test_changes():
    shop.Basket().items.append("pear")
    assert shop.Basket.items == ["pear"]
