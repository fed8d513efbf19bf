import time


def share():
    """How much of the CPU this process gets."""
    cpu, wall = time.process_time(), time.perf_counter()
    while time.process_time() - cpu < 0.1:
        pass
    return 0.1 / (time.perf_counter() - wall)


# Whatever else the machine does at the moment.
USUAL = share()


def test_quick():
    assert share() > USUAL / 2.2
