import shop


def test_changes():
    shop.get().name = "mine"
    assert shop.get().name == "mine"
