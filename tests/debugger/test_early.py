"""A debugger before pytest's own support begins. With -s the run stops where a serial one does, and goes on."""

from __future__ import annotations

import pytest

from .console import Desk

PLACES = {
    "top": "x = 41\nbreakpoint()\ny = x\n",
    "set_trace": "import pdb\nx = 41\npdb.set_trace()\ny = x\n",
    "configure": "def pytest_configure(config):\n    x = 41\n    breakpoint()\n    y = x\n",
}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("place", PLACES)
def test_the_run_stops_once_and_goes_on(desk: Desk, place: str, method: str) -> None:
    desk.write("conftest.py", PLACES[place])
    desk.write("test_a.py", "def test_a(): pass\n")
    console = desk.start("-n2", "-s", f"--start-method={method}")
    console.prompt()
    assert console.answer("p x") == "41"
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("outpace: no worker stopped at conftest.py:", "1 passed")
    run.assert_clean()


def test_for_workers_only_it_is_passed_over_and_told(desk: Desk) -> None:
    desk.write("conftest.py", "import os\nif 'PYTEST_XDIST_WORKER' in os.environ:\n    breakpoint()\n")
    desk.write("test_a.py", "def test_a(): pass\ndef test_b(): breakpoint()\n")
    console = desk.start("-n2")
    assert "test_a.py::test_b" in console.prompt()
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("outpace: no worker stopped at conftest.py:3: ", "2 passed")
    run.assert_clean()


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_without_s_it_fails_as_it_does_serially(desk: Desk, workers: str) -> None:
    desk.write("conftest.py", PLACES["top"])
    desk.write("test_a.py", "def test_a(): pass\n")
    run = desk.start(workers).end()
    assert run.code == 4, run.output
    run.assert_says("reading from stdin while output is captured!  Consider using `-s`")
    run.assert_clean()
