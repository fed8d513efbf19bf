import os

import pytest


@pytest.mark.parametrize("number", range(6))
def test_luck(number):
    assert os.urandom(1)[0] < 160
