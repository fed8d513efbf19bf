import random


def test_draws():
    assert random.random() == random.Random(1).random()
