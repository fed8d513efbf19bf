"""No terminal, or no way to it: the test fails at once and says what to do."""

from __future__ import annotations

import pytest
from faults.arena import Arena

from .console import Desk

ADVICE = 'Run it by itself in a terminal:  pytest -n 0 "test_a.py::test_a"'


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_breakpoint(arena: Arena, method: str) -> None:
    arena.write("test_a.py", "def test_a():\n    breakpoint()\ndef test_b(): pass\n")
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == 1, run.output
    run.assert_says(
        "outpace: no debugger at test_a.py:2: standard input is not a terminal.", ADVICE, "1 failed, 1 passed"
    )
    run.assert_clean()


def test_without_capture(arena: Arena) -> None:
    arena.write("test_a.py", "def test_a():\n    breakpoint()\ndef test_b(): pass\n")
    run = arena.run("-n2", "-s")
    assert run.code == 1, run.output
    run.assert_says("outpace: no debugger at test_a.py:2: standard input is not a terminal.", ADVICE)


def test_trace(arena: Arena) -> None:
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("-n2", "--trace")
    assert run.code == 1, run.output
    run.assert_says('pytest -n 0 --trace "test_a.py::test_a"')


def test_pdb(arena: Arena) -> None:
    arena.write("test_a.py", "def test_a(): assert 0\ndef test_b(): assert 0\ndef test_c(): breakpoint()\n")
    run = arena.run("-n2", "--pdb")
    assert run.code == 1, run.output
    run.assert_says(
        "3 failed",
        "outpace: 2 failures were not debugged: standard input is not a terminal",
        'run such a test by itself: pytest -n 0 --pdb "test_a.py::test_',
    )
    run.assert_clean()


def test_debugpy(arena: Arena) -> None:
    arena.write("debugpy.py", "")
    arena.write("test_a.py", "def test_a():\n    breakpoint()\n")
    run = arena.run("-n2")
    assert run.code == 1, run.output
    run.assert_says('python -m debugpy --listen 5678 --wait-for-client -m pytest -n 0 "test_a.py::test_a"')


def test_another_thread(desk: Desk) -> None:
    source = """
        from concurrent.futures import ThreadPoolExecutor
        def test_a():
            with ThreadPoolExecutor() as pool:
                pool.submit(breakpoint).result()
    """
    desk.write("test_a.py", source)
    run = desk.start("-n2").end()
    assert run.code == 1, run.output
    run.assert_says("this is not the main thread", ADVICE)


def test_a_process_that_the_test_starts(desk: Desk) -> None:
    source = """
        import multiprocessing
        def work():
            try: breakpoint()
            except BaseException as error: open('said', 'w').write(str(error))
        def test_a():
            process = multiprocessing.get_context('fork').Process(target=work)
            process.start()
            process.join()
    """
    desk.write("test_a.py", source)
    run = desk.start("-n2").end()
    assert run.code == 0, run.output
    assert "this is a process that the test has started" in (desk.arena.folder / "said").read_text()


def test_xdist_itself(arena: Arena) -> None:
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("-n2", "--pdb", "-p", "no:outpace")
    assert run.code == 4, run.output
    run.assert_says("--pdb is incompatible with distributing tests")


def test_a_run_that_is_left_to_xdist(arena: Arena) -> None:
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("--tx", "popen//python=python3", "-d", "--pdb")
    assert run.code == 4, run.output
    run.assert_says("--pdb is incompatible with distributing tests where outpace is not used")
