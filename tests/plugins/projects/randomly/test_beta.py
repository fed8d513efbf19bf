import random
import time
import uuid

import pytest


@pytest.mark.parametrize("number", range(6))
def test_draws_beta(number):
    time.sleep(0.01)
    print(random.random(), random.sample(range(1000), 3))


def test_fixture_beta(dice):
    print(dice)


def test_unlucky_beta():
    drawn = random.randint(1, 10**6)
    assert drawn == 0


class TestGroup:
    @pytest.mark.parametrize("letter", "abc")
    def test_letters(self, letter):
        print(letter, random.choice("xyz"))

    def test_uuids_stay_different(self):
        assert uuid.uuid4() != uuid.uuid4()
