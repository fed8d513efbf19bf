import time

import pytest


@pytest.mark.parametrize("number", range(24))
def test_busy(number):
    cpu = time.process_time()
    while time.process_time() - cpu < 0.2:
        pass
