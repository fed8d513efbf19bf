import logging


def test_suffers():
    assert logging.getLogger("shop").isEnabledFor(logging.ERROR)
