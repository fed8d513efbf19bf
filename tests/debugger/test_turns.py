"""Several debuggers, other workers, clocks: whose turn it is and what goes on meanwhile."""

from __future__ import annotations

import re

import pytest

from .console import Desk

METHODS = ("fork", "spawn")
NOTE = "def note(word):\n    with open('notes', 'a') as file: file.write(word + '\\n')\n"


@pytest.mark.parametrize("method", METHODS)
def test_one_after_the_other(desk: Desk, method: str) -> None:
    desk.write(
        "test_a.py", "def test_a():\n    me = 'a'\n    breakpoint()\ndef test_b():\n    me = 'b'\n    breakpoint()\n"
    )
    console = desk.start("-n2", f"--start-method={method}", "--test-timeout=2", "--slow-timeout=1")
    seen = []
    for _ in range(2):
        console.prompt()
        for _ in range(3):
            console.answer("!import time; time.sleep(1)")
        seen.append(console.answer("p me"))
        console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    assert sorted(seen) == ["'a'", "'b'"]
    assert run.output.count("has the terminal") == 2
    assert "has been in" not in run.output, "waiting is not slow"
    run.assert_clean()


def test_the_limit_counts_again_afterwards(desk: Desk) -> None:
    desk.write("test_a.py", "import time\ndef test_a():\n    breakpoint()\n    time.sleep(600)\n")
    console = desk.start("-n2", "--test-timeout=1")
    console.prompt()
    console.answer("!import time; time.sleep(2)")
    console.type("c")
    run = console.end()
    assert run.code == 1, run.output
    run.assert_says("Timeout: the test took longer than 1 s")


OTHERS = (
    NOTE
    + """
import time, pytest
def wait_for_all():
    while open('notes').read().count('began') < 40: time.sleep(0.01)
def test_a():
    while not __import__('os').path.exists('notes'): time.sleep(0.01)
    breakpoint()
    note('back')
@pytest.mark.parametrize('n', range(40))
def test_b(n):
    note('began')
    time.sleep(0.05)
"""
)

LASTING = """
@pytest.fixture(scope='session', autouse=True)
def lasting():
    note('set up')
    yield
"""


def test_the_others_wait(desk: Desk) -> None:
    desk.write("test_a.py", OTHERS)
    console = desk.start("-n2")
    console.prompt()
    console.answer("!import time; time.sleep(1)")
    before = desk.arena.lines("notes")
    console.answer("!time.sleep(1)")
    assert desk.arena.lines("notes") == before
    assert len(before) < 40
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("41 passed")
    run.assert_clean()


def test_fixtures_of_those_who_wait_stay_alive(desk: Desk) -> None:
    desk.write("test_a.py", OTHERS + LASTING)
    console = desk.start("-n2")
    console.prompt()
    console.answer("!import time; time.sleep(1)")
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    assert desk.arena.lines("notes").count("set up") == 2


@pytest.mark.parametrize("where", ["option", "ini"])
def test_the_others_run_on(desk: Desk, where: str) -> None:
    desk.write("test_a.py", OTHERS)
    if where == "ini":
        desk.write("pytest.ini", "[pytest]\noutpace_pdb_others = run\n")
    console = desk.start("-n2", *(["--pdb-others=run"] if where == "option" else []))
    console.prompt()
    # Nothing is printed into the debugger while they do.
    assert console.answer("!wait_for_all()") == ""
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("41 passed")
    run.assert_clean()


def test_a_choice_that_is_none(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\noutpace_pdb_others = sleep\n")
    desk.write("test_a.py", "def test_a(): pass\n")
    run = desk.start("-n2").end()
    assert run.code == 4
    run.assert_says("outpace_pdb_others = 'sleep' in", "choose from wait, run")


def test_first_failure(desk: Desk) -> None:
    desk.write("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(20))\ndef test_a(n): assert n != 3\n")
    console = desk.start("-n2", "--pdb", "-x")
    console.prompt()
    assert console.answer("p n") == "3"
    console.type("c")
    run = console.end()
    assert run.code == 2 and "stopping after 1 failures" in run.output, run.output
    run.assert_clean()


def test_many_failures(desk: Desk) -> None:
    desk.write("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(30))\ndef test_a(n): assert n % 5\n")
    console = desk.start("-n4", "--pdb")
    seen = []
    for _ in range(6):
        console.prompt()
        seen.append(int(console.answer("p n")))
        console.type("c")
    run = console.end()
    assert run.code == 1, run.output
    run.assert_says("6 failed, 24 passed")
    assert sorted(seen) == [0, 5, 10, 15, 20, 25]
    run.assert_clean()


@pytest.mark.parametrize("mode", ["worksteal", "loadscope", "loadfile", "loadgroup", "each"])
def test_modes(desk: Desk, mode: str) -> None:
    desk.write("test_a.py", "import pytest\n@pytest.mark.parametrize('n', range(12))\ndef test_a(n): assert n != 7\n")
    console = desk.start("-n2", "--pdb", f"--dist={mode}")
    for _ in range(2 if mode == "each" else 1):
        console.prompt()
        assert console.answer("p n") == "7"
        console.type("c")
    run = console.end()
    assert run.code == 1, run.output
    run.assert_says(*(["2 failed, 22 passed"] if mode == "each" else ["1 failed, 11 passed"]))


def test_serial_tests_and_resources(desk: Desk) -> None:
    source = """
        import pytest
        @pytest.mark.serial
        def test_a(): breakpoint()
        @pytest.mark.resource("db")
        def test_b(): breakpoint()
        @pytest.mark.resource("db")
        def test_c(): breakpoint()
        def test_d(): pass
    """
    desk.write("test_a.py", source)
    console = desk.start("-n2")
    for _ in range(3):
        console.prompt()
        console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    assert re.findall(r"has the terminal: test_a.py::test_(\w)", run.output)[-1] == "a"


def test_custom_scheduler(desk: Desk) -> None:
    desk.write(
        "conftest.py",
        "from xdist.scheduler import LoadScheduling\n"
        "class Mine(LoadScheduling): pass\n"
        "def pytest_xdist_make_scheduler(config, log): return Mine(config, log)\n",
    )
    desk.write("test_a.py", OTHERS)
    console = desk.start("-n2")
    console.prompt()
    console.answer("!import time; time.sleep(1)")
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("41 passed")
