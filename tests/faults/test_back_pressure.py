"""A controller that does not keep up: workers wait, and the coordinator keeps little for it."""

from __future__ import annotations

import signal
import time

import pytest

from .arena import Arena

# As on processors whose stores may be seen out of order.
BY_SOCKET = """
    import outpace.worker.session
    outpace.worker.session.ORDERED_STORES = False
"""

COUNT = 150
TESTS = f"""
    import pytest

    @pytest.mark.parametrize("number", range({COUNT}))
    def test_says_much(number):
        with open("begun", "a") as file:
            file.write("begun\\n")
        print("x" * 1_000_000)
"""


@pytest.mark.parametrize("way", ["ring", "socket"])
def test_what_the_controller_has_not_taken_stays_with_the_workers(arena: Arena, way: str) -> None:
    arena.write("test_a.py", TESTS)
    if way == "socket":
        arena.write("conftest.py", BY_SOCKET)
    run = arena.start("-n2")
    run.wait_for_lines("begun")
    run.signal(signal.SIGSTOP)
    begun = -1
    while begun != len(arena.lines("begun")):
        begun = len(arena.lines("begun"))
        time.sleep(1)
    kept = resident(run.coordinator())
    run.signal(signal.SIGCONT)
    end = run.end()
    assert end.code == 0, end.output
    assert len(end.completed) == COUNT
    assert begun < COUNT / 2, "the workers went on"
    assert kept < 80_000_000


def resident(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))
