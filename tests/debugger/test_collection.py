"""A debugger before the first test: in a module, in a conftest's hooks, in what fails to be collected."""

from __future__ import annotations

import pytest

from .console import Desk

METHODS = ("fork", "spawn")


def workers(method: str) -> int:
    """How many processes collect."""
    return 2 if method == "spawn" else 1


@pytest.mark.parametrize("method", METHODS)
def test_a_module(desk: Desk, method: str) -> None:
    desk.write("test_a.py", "x = 41\nbreakpoint()\ndef test_a(): assert x == 41\ndef test_b(): pass\n")
    console = desk.start("-n2", f"--start-method={method}", "--test-timeout=4", "--slow-timeout=3")
    seen = console.prompt()
    if method == "fork":
        assert "the process that collects the tests has the terminal: collecting test_a.py" in seen
    console.answer("!import time; time.sleep(5)")
    assert console.answer("p x") == "41"
    console.type("c")
    if method == "spawn":  # the template has collected, and is a worker's now
        console.prompt()
        console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("2 passed")
    assert "has been" not in run.output
    run.assert_clean()


def test_quit(desk: Desk) -> None:
    desk.write("test_a.py", "breakpoint()\ndef test_a(): pass\n")
    console = desk.start("-n2")
    console.prompt()
    console.type("q")
    run = console.end()
    assert run.code == 1, run.output  # an error of collection, as it is for pytest
    run.assert_says("ERROR test_a.py - _pytest.outcomes.Exit: Quitting debugger")
    run.assert_clean()


@pytest.mark.parametrize("method", METHODS)
def test_pdb_at_an_error(desk: Desk, method: str) -> None:
    desk.write("test_a.py", "size = 0\nsize / 0\n")
    desk.write("test_b.py", "def test_b(): pass\n")
    console = desk.start("-n2", "--pdb", f"--start-method={method}")
    for _ in range(workers(method)):
        assert "ZeroDivisionError" in console.prompt()
        assert console.answer("p size") == "0"
        console.type("c")
    run = console.end()
    assert run.code in (1, 2), run.output
    run.assert_says("error")
    run.assert_clean()


@pytest.mark.parametrize("hook", ["pytest_sessionstart(session)", "pytest_collection_modifyitems(items)"])
def test_a_hook(desk: Desk, hook: str) -> None:
    condition = "hasattr(session.config, 'workerinput')" if "session" in hook else "items"
    desk.write("conftest.py", f"def {hook}:\n    if {condition}: breakpoint()\n")
    desk.write("test_a.py", "def test_a(): pass\n")
    console = desk.start("-n2", "--start-method=fork")
    console.prompt()
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_clean()


def test_a_fixture(desk: Desk) -> None:
    source = """
        import pytest
        @pytest.fixture(scope="session")
        def thing():
            up = 1
            breakpoint()
            yield up
            down = 2
            breakpoint()
            assert down
        def test_a(thing): assert thing
    """
    desk.write("test_a.py", source)
    console = desk.start("-n2")
    console.prompt()
    assert console.answer("p up") == "1"
    console.type("c")
    console.prompt()
    assert console.answer("p down") == "2"
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_clean()


def test_the_end_of_a_session(desk: Desk) -> None:
    desk.write(
        "conftest.py",
        "def pytest_sessionfinish(session):\n    if hasattr(session.config, 'workerinput'): breakpoint()\n",
    )
    desk.write("test_a.py", "def test_a(): pass\n")
    console = desk.start("-n1", "--test-timeout=1", "--slow-timeout=0.5")
    console.prompt()
    console.answer("!import time; time.sleep(2)")
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_clean()
