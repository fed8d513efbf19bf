"""Two thousand tests while workers are killed at random: every test is accounted for, whatever is hit."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time

import pytest

from .arena import Arena

COUNT = 2000
KILLS = 25
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM)

TESTS = """
    import pytest

    @pytest.fixture(scope="module")
    def shared():
        yield 1

    @pytest.mark.parametrize("i", range({count}))
    def test_a(i, shared, request):
        with open(request.config.rootpath / "started", "a") as file: file.write("1\\n")
        assert i % 50 != 49
"""


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup", "each"])
@pytest.mark.parametrize("seed", [1])
def test_workers_killed_at_random(arena: Arena, dist: str, seed: int) -> None:
    chance = random.Random(seed)
    files = 8
    for number in range(files):
        arena.write(f"test_{number}.py", TESTS.format(count=COUNT // files))
    collection = [f"test_{number}.py::test_a[{i}]" for number in range(files) for i in range(COUNT // files)]
    running = arena.start("-n3", "--start-method=fork", f"--dist={dist}", "--max-worker-restart=10000", "-q")
    running.wait_for_lines("started")
    coordinator, template = running.coordinator(), running.template()
    killed = 0
    while killed < KILLS and running.process.poll() is None:
        time.sleep(chance.uniform(0, 0.03))
        workers = [pid for pid in running.pids() if pid not in (coordinator, template, running.process.pid)]
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(workers), chance.choice(SIGNALS))
                killed += 1
    run = running.end()
    assert killed >= 5, "the run was over too soon to prove anything"
    assert run.code == 1, run.output
    run.assert_accounted(collection, times=3 if dist == "each" else 1)
    assert not run.not_run and not run.interrupted, run.output
    assert sum(run.crashed.values()) <= killed
    for nodeid, text in run.crash_texts.items():
        assert nodeid in text and "signal" in text.splitlines()[-1], text
    failed = {r["nodeid"] for r in run.reports if r["outcome"] == "failed"}
    assert failed == {nodeid for nodeid in collection if int(nodeid[:-1].rpartition("[")[2]) % 50 == 49} | set(
        run.crashed
    )
    run.assert_clean()


def test_everything_killed_at_random(arena: Arena) -> None:
    """Any process of the run may be hit, the coordinator too: nothing stays behind, and no run ends well by mistake."""
    chance = random.Random(7)
    arena.write("test_a.py", TESTS.format(count=300))
    for _ in range(6):
        running = arena.start("-n3", "-q")
        time.sleep(chance.uniform(0.1, 1.2))
        victims = [pid for pid in running.pids() if pid != running.process.pid]
        if victims and running.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(victims), signal.SIGKILL)
        run = running.end()
        assert run.code in (1, 3, 4), run.output
        if run.code == 1:
            run.assert_accounted([f"test_a.py::test_a[{i}]" for i in range(300)])
        run.assert_clean()
