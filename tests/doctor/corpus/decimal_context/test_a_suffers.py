import decimal


def test_suffers():
    assert str(decimal.Decimal(1) / 3) == "0." + 28 * "3"
