"""The circumstances under which a test is run again, without a doctor."""

from __future__ import annotations

import time

from outpace.recording import circumstances


def test_a_process_that_is_slowed_gets_a_fifth_of_the_cpu_at_most() -> None:
    with circumstances.slowed():
        cpu, wall = time.process_time(), time.monotonic()
        while time.process_time() - cpu < 0.1:
            pass
        share = 0.1 / (time.monotonic() - wall)
    # Whatever else runs makes it less.
    assert share < 0.35
