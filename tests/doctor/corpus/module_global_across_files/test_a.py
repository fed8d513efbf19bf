import shop


def test_fills():
    shop.stock['pear'] = 3
    assert shop.stock
