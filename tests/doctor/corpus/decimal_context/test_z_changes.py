import decimal


def test_changes():
    decimal.getcontext().prec = 3
    assert str(decimal.Decimal(1) / 3) == "0.333"
