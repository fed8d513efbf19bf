
import shop


def test_changes():
    assert shop.currency() == "USD"
