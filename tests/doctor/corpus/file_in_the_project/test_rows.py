import shop


def test_rows():
    assert shop.export(["a", "b"]) == ["a", "b"]
