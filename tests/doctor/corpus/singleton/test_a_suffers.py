import shop


def test_suffers():
    assert shop.get().name == "default"
