import logging


def test_changes():
    logging.disable(logging.CRITICAL)
    assert not logging.getLogger("shop").isEnabledFor(logging.ERROR)
