import shop


def test_sells():
    assert shop.stock['pear'] == 3
