"""`-n auto` has more workers while tests wait, and exactly as many as asked for otherwise."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from project import ENGINE, START_METHOD, Project

pytestmark = [
    pytest.mark.skipif(ENGINE == "xdist", reason="outpace's own"),
    pytest.mark.skipif(START_METHOD == "spawn", reason="names its start method where it matters"),
]

# Each waits until all have begun: they pass only where all run at one time.
TOGETHER = """
    import os, pathlib, time
    import pytest
    @pytest.mark.parametrize("number", range({count}))
    def test_wait(number):
        folder = pathlib.Path("begun")
        folder.mkdir(exist_ok=True)
        (folder / str(number)).touch()
        until = time.monotonic() + 40
        while len(list(folder.iterdir())) < {count} and time.monotonic() < until:
            time.sleep(0.05)
        assert len(list(folder.iterdir())) == {count}
    def test_ids(worker_id):
        assert int(worker_id[2:]) < int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
"""


@pytest.fixture
def few_cores() -> object:
    """The inner run inherits it: growth shows although this machine may have many."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:2])
    yield
    os.sched_setaffinity(0, allowed)


@pytest.fixture
def idle_cpu(few_cores: object) -> None:
    """A pool grows only where the CPU has nothing to do."""
    allowed = os.sched_getaffinity(0)

    def idle_seconds() -> float:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
        ticks = sum(int(each[4]) for each in lines if each[0] in {f"cpu{number}" for number in allowed})
        return ticks / os.sysconf("SC_CLK_TCK")

    for _ in range(20):
        before = idle_seconds()
        time.sleep(1)
        if idle_seconds() - before > 0.6 * len(allowed):
            return
    pytest.skip("this machine is busy with other things")


@pytest.mark.usefixtures("few_cores", "idle_cpu")
@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_grows_while_tests_wait(project: Project, dist: str) -> None:
    project.files(test_a=TOGETHER.format(count=8))
    run = project.run("-n", "auto", "--dist", dist)
    assert run.ret == 0, run.out
    assert run.counts == {"passed": 9}
    run.match("outpace *up to * while tests wait*", "outpace: up to * workers while tests waited, CPU *% busy")


@pytest.mark.usefixtures("few_cores", "idle_cpu")
def test_spawned_workers_are_added_where_what_is_left_takes_longer_than_their_start(project: Project) -> None:
    project.files(
        test_a="""
        import time, pytest
        @pytest.mark.parametrize("number", range(100))
        def test_wait(number):
            time.sleep(0.2)
        """
    )
    run = project.run("-n", "auto", "--start-method=spawn")
    assert run.ret == 0, run.out
    assert run.counts == {"passed": 100}
    run.match("outpace: up to * workers while tests waited, CPU *% busy")


@pytest.mark.usefixtures("few_cores")
def test_a_short_rest_is_not_worth_another_collection(project: Project) -> None:
    project.files(
        test_a="""
        import time, pytest
        time.sleep(2)
        @pytest.mark.parametrize("number", range(12))
        def test_wait(number, worker_id):
            time.sleep(0.2)
            assert worker_id in ("gw0", "gw1")
        """
    )
    run = project.run("-n", "auto", "--start-method=spawn")
    assert run.counts == {"passed": 12}, run.out


@pytest.fixture
def full_cpu(few_cores: object) -> Iterator[None]:
    """Other programs take all that there is."""
    computing = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for each in computing:
        each.kill()
        each.wait()


@pytest.mark.usefixtures("full_cpu")
def test_who_sleeps_in_a_test_keeps_no_place_however_full_the_cpu_is(project: Project) -> None:
    """Each of the first two workers begins with tests that wait for the last one of their file."""
    hangs = """
        import pathlib, time
        import pytest
        @pytest.mark.parametrize("number", range(3))
        def test_hangs(number):
            while not all(pathlib.Path(f"done_{name}").exists() for name in "ab"):
                time.sleep(0.05)
        @pytest.mark.parametrize("number", range(10))
        def test_works(number): pass
        def test_is_last(): pathlib.Path("done_" + __name__[-1]).touch()
    """
    project.files(test_a=hangs, test_b=hangs)
    run = project.run("-nauto", "--test-timeout=40")
    assert run.ret == 0, run.out
    assert run.counts == {"passed": 28}


@pytest.mark.usefixtures("few_cores")
@pytest.mark.parametrize(
    "args", [("-n2",), ("-n", "auto", "--max-workers=2"), ("-n", "auto", "--maxprocesses=2")], ids=" ".join
)
def test_keeps_the_number_that_was_asked_for(project: Project, args: tuple[str, ...]) -> None:
    project.files(
        test_a="""
        import time, pytest
        @pytest.mark.parametrize("number", range(20))
        def test_wait(number, worker_id):
            time.sleep(0.1)
            assert worker_id in ("gw0", "gw1")
        """
    )
    run = project.run(*args)
    assert run.ret == 0, run.out
    run.no_match("outpace: up to *")


@pytest.mark.usefixtures("few_cores")
def test_a_number_from_the_environment_is_kept(project: Project) -> None:
    project.files(test_a="def test_a(): pass")
    run = project.run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"})
    run.match("outpace *: 2 workers (PYTEST_XDIST_AUTO_NUM_WORKERS)*")


@pytest.mark.usefixtures("few_cores")
def test_stops_with_extra_workers_at_the_first_failure(project: Project) -> None:
    project.files(
        test_a="""
        import time, pytest
        @pytest.mark.parametrize("number", range(200))
        def test_wait(number):
            time.sleep(0.05)
            assert number != 60
        """
    )
    run = project.run("-n", "auto", "-x")
    assert run.ret == 2
    assert run.counts["failed"] == 1
    run.match("*stopping after 1 failures*")


@pytest.mark.parametrize(
    ("args", "ini"), [(("--max-workers=none",), ""), (("--max-workers=0",), ""), ((), "outpace_max_workers = many")]
)
def test_a_limit_that_is_no_number(project: Project, args: tuple[str, ...], ini: str) -> None:
    project.files(test_a="def test_a(): pass").ini(ini)
    run = project.run("-n", "auto", *args)
    assert run.ret == 4
    assert "not a number of workers" in run.out + run.err


# Whether a test computes is what the history says: its times are put there below.
TURNS = """
    import time
    import pytest

    @pytest.fixture
    def noted(request, worker_id):
        begun = time.monotonic()
        yield
        with open("times", "a") as file:
            file.write(f"{request.node.name} {begun} {time.monotonic()} {worker_id}\\n")

    @pytest.mark.parametrize("number", range(12))
    def test_computes(noted, number): time.sleep(0.1)

    @pytest.mark.parametrize("number", range(24))
    def test_waits(noted, number): time.sleep(0.3)
"""


def at_once(intervals: list[tuple[float, float]]) -> int:
    """How many overlapped, at most."""
    changes = sorted([(begun, 1) for begun, _ in intervals] + [(ended, -1) for _, ended in intervals])
    most = running = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def test_tests_that_compute_take_turns_for_the_cores(project: Project, few_cores: object) -> None:
    project.files(**{f"test_{name}": TURNS for name in "abcd"})
    assert project.run("-n2").ret == 0
    (project.path / "times").unlink()
    with closing(sqlite3.connect(project.path / ".pytest_cache/d/outpace/history.sqlite3")) as history, history:
        history.execute("UPDATE test SET wall = 100000, cpu = 100000 WHERE name LIKE '::test_computes%'")
        history.execute("UPDATE test SET wall = 300000, cpu = 1000 WHERE name LIKE '::test_waits%'")
    run = project.run("-nauto")
    assert run.ret == 0, run.out
    assert "workers at once: in earlier runs its tests waited" in run.out
    found: dict[str, list[tuple[float, float]]] = {"test_computes": [], "test_waits": []}
    workers = set()
    for line in (project.path / "times").read_text().splitlines():
        name, begun, ended, worker = line.split()
        found[name.partition("[")[0]].append((float(begun), float(ended)))
        workers.add(worker)
    assert [len(each) for each in found.values()] == [48, 96]
    assert at_once(found["test_computes"]) <= 2
    assert len(workers) > 2
