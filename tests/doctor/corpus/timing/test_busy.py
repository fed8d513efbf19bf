import time

import pytest


@pytest.mark.parametrize("number", range(12))
def test_busy(number):
    cpu = time.process_time()
    while time.process_time() - cpu < 0.3:
        pass
