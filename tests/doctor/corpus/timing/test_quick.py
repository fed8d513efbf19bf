import time


def test_quick():
    cpu, wall = time.process_time(), time.perf_counter()
    while time.process_time() - cpu < 0.3:
        pass
    assert time.perf_counter() - wall < 0.3 * 3.5
