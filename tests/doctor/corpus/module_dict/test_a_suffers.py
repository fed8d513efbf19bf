import shop


def test_suffers():
    assert shop.prices == {"pear": 1}
