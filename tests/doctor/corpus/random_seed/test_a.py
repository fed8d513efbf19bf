import random


def test_seeds():
    random.seed(1)
    assert random.getstate()
