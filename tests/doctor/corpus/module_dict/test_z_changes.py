import shop


def test_changes():
    shop.prices["pear"] = 2
    assert shop.prices["pear"] == 2
