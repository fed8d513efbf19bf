"""Runs that are ended from outside or by a test: Ctrl-C, SIGTERM, ``-x``, ``pytest.exit``."""

from __future__ import annotations

import signal
import time
from xml.etree import ElementTree

import pytest

from .arena import LIMIT_S, Arena, Running

NOTES = """
    import time
    from pathlib import Path

    HERE = Path(__file__).parent

    def note(line):
        with open(HERE / "notes", "a") as file: file.write(line + "\\n")

    def wait_for(condition):
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.005)
"""

# The failing test comes first in both workers' share; the others sleep until they are interrupted.
SLOW = """
    import os, pytest, signal, time
    from notes import note

    @pytest.fixture(scope="module")
    def module():
        yield
        note("module torn down")

    @pytest.fixture
    def noted(request, module):
        yield
        note(f"torn down {request.node.nodeid}")

    def test_fails(): assert 0, "the failure so far"

    @pytest.mark.parametrize("i", range(8))
    def test_sleeps(i, noted, request):
        note(f"started {request.node.nodeid}")
        behave()
"""
PATIENT = "def behave(): time.sleep(60)"
STUBBORN = """
def behave():
    while True:
        try: time.sleep(60)
        except KeyboardInterrupt: note("ignored it")
"""
DEAF = """
def behave():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note("deaf")
    time.sleep(60)
"""
FILES = ("test_one.py", "test_two.py", "test_three.py")


def write_slow(arena: Arena, behaviour: str) -> list[str]:
    arena.write("notes.py", NOTES)
    for file in FILES:
        path = arena.write(file, SLOW)
        path.write_text(path.read_text() + behaviour)
    return [f"{file}::{test}" for file in FILES for test in ("test_fails", *(f"test_sleeps[{i}]" for i in range(8)))]


def two_asleep(run: Running) -> list[str]:
    """Both workers sleep in a test, and the failure of at least one has been told."""
    started = "started "
    run.wait(lambda: sum(line.startswith(started) for line in run.arena.lines("notes")) == 2)
    run.wait(lambda: "F" in run.progress())
    return [line[len(started) :] for line in run.arena.lines("notes") if line.startswith(started)]


@pytest.mark.parametrize("how", ["ctrl-c", "sigterm"])
def test_once(arena: Arena, mode: str, how: str) -> None:
    """Running tests are torn down and named, what failed so far is shown, reports are written."""
    collection = write_slow(arena, PATIENT)
    running = arena.start("-n2", f"--dist={mode}", "--junitxml=junit.xml")
    asleep = two_asleep(running)
    if how == "ctrl-c":
        running.ctrl_c()
    else:
        running.signal(signal.SIGTERM)
    run = running.end()
    assert run.code == 2, run.output
    assert sorted(run.interrupted) == sorted(asleep), run.output
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    run.assert_says("the failure so far", "KeyboardInterrupt")
    notes = arena.lines("notes")
    assert sorted(line[len("torn down ") :] for line in notes if line.startswith("torn down")) == sorted(asleep)
    assert notes.count("module torn down") >= len({nodeid.split("::")[0] for nodeid in asleep})
    failures = ElementTree.parse(arena.folder / "junit.xml").getroot().findall(".//testcase/failure")
    assert failures and all("the failure so far" in (failure.text or "") for failure in failures)
    run.assert_clean()


def test_twice(arena: Arena, mode: str) -> None:
    """The second Ctrl-C ends everything at once, whatever the tests make of the first."""
    collection = write_slow(arena, STUBBORN)
    running = arena.start("-n2", f"--dist={mode}")
    asleep = two_asleep(running)
    running.ctrl_c()
    running.wait(lambda: arena.lines("notes").count("ignored it") == 2)
    running.ctrl_c()
    at = time.monotonic()
    run = running.end()
    assert time.monotonic() - at < 6, run.output
    assert run.code == 2, run.output
    assert sorted(run.interrupted) == sorted(asleep), run.output
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    run.assert_says("the failure so far")
    run.assert_clean()


def test_once_with_a_test_that_is_deaf(arena: Arena) -> None:
    """Patience has an end: a test that ignores SIGINT is killed after a while, and the summary is still written."""
    collection = write_slow(arena, DEAF)
    running = arena.start("-n2")
    asleep = two_asleep(running)
    running.wait(lambda: arena.lines("notes").count("deaf") == 2)
    running.ctrl_c()
    run = running.end(limit=LIMIT_S / 2)
    assert run.code == 2, run.output
    assert sorted(run.interrupted) == sorted(asleep), run.output
    run.assert_accounted(collection)
    run.assert_says("the failure so far")
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_while_collecting(arena: Arena, method: str) -> None:
    arena.write("notes.py", NOTES)
    arena.write(
        "test_a.py", "import time\nfrom notes import note\nnote('importing')\ntime.sleep(60)\ndef test_a(): pass"
    )
    running = arena.start("-n2", f"--start-method={method}")
    running.wait_for_lines("notes", 2 if method == "spawn" else 1)
    running.ctrl_c()
    at = time.monotonic()
    run = running.end()
    assert time.monotonic() - at < 6, run.output
    assert run.code == 2, run.output
    run.assert_clean()


RUSH = """
    import pytest
    @pytest.fixture
    def resource():
        yield
    @pytest.mark.parametrize("i", range(1000))
    def test_a(i, resource):
        print("output of a test that passes" * (i % 3))
        assert i % 100 != 99
"""


@pytest.mark.parametrize("number", range(6))
def test_in_the_middle_of_a_rush(arena: Arena, number: int) -> None:
    """Wherever the controller and the workers are when the signal comes, no result is lost or told twice."""
    arena.write("test_a.py", RUSH)
    running = arena.start("-n2")
    running.wait(lambda: running.progress().count(".") > 20 + 100 * number)
    running.ctrl_c()
    run = running.end()
    collection = [f"test_a.py::test_a[{i}]" for i in range(1000)]
    if run.code != 1:  # it had finished
        assert run.code == 2, run.output
        run.assert_says("KeyboardInterrupt")
    run.assert_accounted(collection)
    run.assert_clean()


FIRST_FAILS = """
    import pytest
    from notes import HERE, note, wait_for

    @pytest.mark.xdist_group("of {name}")
    @pytest.mark.parametrize("i", range(10))
    def test_a(i):
        note("started")
        if "{name}" == "one" and i == 0:
            wait_for(lambda: (HERE / "notes").read_text().count("started") == 2)
            assert 0
        wait_for((HERE / "told").exists)
"""
TELLS = """
    from notes import HERE
    def pytest_runtest_logreport(report):
        if report.failed and hasattr(report, "node"):
            (HERE / "told").touch()
"""


def test_x_starts_no_further_test(arena: Arena, mode: str) -> None:
    """One test fails while another runs, which goes on until the failure is known; nothing starts after it."""
    arena.write("notes.py", NOTES)
    arena.write("conftest.py", TELLS)
    arena.write("pytest.ini", "[pytest]\nmarkers = xdist_group\n")
    for name in ("one", "two", "three"):
        arena.write(f"test_{name}.py", FIRST_FAILS.format(name=name))
    run = arena.run("-n2", f"--dist={mode}", "-x", "test_one.py", "test_two.py", "test_three.py")
    assert run.code == 2, run.output
    assert arena.lines("notes") == ["started"] * 2, run.output
    run.assert_says("stopping after 1 failures")
    collection = [f"test_{name}.py::test_a[{i}]" for name in ("one", "two", "three") for i in range(10)]
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    run.assert_clean()


def test_maxfail(arena: Arena) -> None:
    arena.write("notes.py", NOTES)
    arena.write(
        "test_a.py",
        """
        import pytest, time
        from notes import note
        @pytest.mark.parametrize("i", range(100))
        def test_a(i):
            note("started")
            time.sleep(0.05)
            assert i % 4
        """,
    )
    run = arena.run("-n2", "--maxfail=3")
    assert run.code == 2, run.output
    failed = [report for report in run.reports if report["outcome"] == "failed"]
    assert 3 <= len(failed) <= 4, run.output
    assert len(arena.lines("notes")) == sum(run.completed.values()) < 25, run.output
    run.assert_accounted([f"test_a.py::test_a[{i}]" for i in range(100)])
    run.assert_clean()


EXITS = """
    import pytest, time
    from notes import HERE, note, wait_for

    @pytest.mark.xdist_group("of {name}")
    @pytest.mark.parametrize("i", range(10))
    def test_a(i):
        note("started")
        wait_for(lambda: (HERE / "notes").read_text().count("started") >= 2)
        if "{name}" == "one" and i == 0:
            pytest.exit("enough of it", 7)
        time.sleep(0.1)
"""


def test_pytest_exit(arena: Arena, mode: str) -> None:
    """Its reason and its code are the run's; tests that run meanwhile end well."""
    arena.write("notes.py", NOTES)
    arena.write("pytest.ini", "[pytest]\nmarkers = xdist_group\n")
    for name in ("one", "two", "three"):
        arena.write(f"test_{name}.py", EXITS.format(name=name))
    run = arena.run("-n2", f"--dist={mode}", "test_one.py", "test_two.py", "test_three.py")
    assert run.code == 7, run.output
    run.assert_says("enough of it")
    assert run.not_run >= 20 and "INTERNALERROR" not in run.output, run.output
    collection = [f"test_{name}.py::test_a[{i}]" for name in ("one", "two", "three") for i in range(10)]
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    run.assert_clean()
