import os
import time

import pytest


@pytest.mark.parametrize("number", range(7))
def test_busy(number):
    for _ in range(4):
        if os.fork() == 0:
            cpu = time.process_time()
            while time.process_time() - cpu < 0.04:
                pass
            os._exit(0)
    for _ in range(4):
        os.wait()
