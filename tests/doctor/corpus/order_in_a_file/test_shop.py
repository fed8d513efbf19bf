basket = []


def test_empty():
    assert isinstance(basket, list)


def test_add():
    basket.append("pear")
    assert basket


def test_look():
    assert True


def test_pay():
    assert basket == ["pear"]
