"""What is slow is named live, again and again, and left alone; an interrupted run says where everything was."""

from __future__ import annotations

import re
import signal

import pytest
from faults.arena import Arena

from .ways import IMPORTS, WAYS, line_of


def test_a_slow_test_is_named_again_and_again_and_passes(arena: Arena) -> None:
    source = "import time\ndef test_a():\n    time.sleep(1.8)  # hangs here\ndef test_b(): pass\n"
    arena.write("test_a.py", source)
    run = arena.run("-n2", "--slow-timeout=0.5")
    assert run.code == 0, run.output
    said = re.findall(r"^outpace: (gw\d) test_a.py::test_a has been in call for ([\d.]+) s, at (.*)$", run.output, re.M)
    assert len(said) >= 2, run.output
    assert {where for _, _, where in said} == {"test_a.py:3 in test_a"}
    run.assert_clean()


@pytest.mark.parametrize(("option", "told"), [("-v", True), ("-q", True), ("-qq", False)])
def test_how_much_is_said(arena: Arena, option: str, told: bool) -> None:
    arena.write("test_a.py", "import time\ndef test_a(): time.sleep(1.2)\n")
    run = arena.run("-n1", "--slow-timeout=0.5", option)
    assert ("has been in call for" in run.output) == told, run.output
    assert run.code == 0


def test_the_line_in_the_coroutine(arena: Arena) -> None:
    source = """
        import asyncio
        async def wait(): await asyncio.sleep(1.5)  # hangs here
        def test_a():
            async def main(): await wait()
            asyncio.run(main())
    """
    line = line_of(arena.write("test_a.py", source).read_text())
    run = arena.run("-n1", "--slow-timeout=0.5")
    assert re.search(rf"has been in call for \S+ s, at test_a.py:{line} in wait$", run.output, re.M), run.output
    assert run.code == 0


def test_collection(arena: Arena) -> None:
    arena.write("test_a.py", "import time\ntime.sleep(1.8)\ndef test_a(): pass\n")
    run = arena.run("-n2", "--slow-timeout=0.5")
    run.assert_says("the process that collects the tests has been collecting test_a.py for ", "at test_a.py:2 in <")
    assert run.code == 0


def test_switched_off(arena: Arena) -> None:
    arena.write("pytest.ini", "[pytest]\noutpace_slow_timeout = 0\n")
    arena.write("test_a.py", "import time\ndef test_a(): time.sleep(1)\n")
    run = arena.run("-n1")
    assert run.code == 0
    assert "has been" not in run.output


@pytest.mark.parametrize("name", ["sleep", "future", "read", "teardown"])
def test_ctrl_c_says_where_a_hung_test_is(arena: Arena, name: str) -> None:
    way = WAYS[name]
    source = f"{IMPORTS}def test_before(): pass\n@pytest.fixture(autouse=True)\ndef note():\n    yield\n"
    source += way.text(name) + "def test_after(): pass\n"
    arena.write("test_a.py", source)
    arena.write("conftest.py", "def pytest_runtest_logstart(nodeid):\n    print(nodeid, file=open('began', 'a'))\n")
    running = arena.start("-n1", "--slow-timeout=0.5")
    running.wait(lambda: "has been in" in running.output())
    running.signal(signal.SIGINT)
    run = running.end()
    assert run.code == 2, run.output
    summary = run.output[run.output.index("interrupted while running") :] if name != "teardown" else run.output
    assert f'File "test_a.py", line {line_of(source)}, in ' in summary
    run.assert_says(f"test_a.py::test_{name} has been in {way.phase} for ", "of 3 tests had run")
    run.assert_clean()


def test_ctrl_c_while_a_file_is_imported(arena: Arena) -> None:
    arena.write("test_a.py", "import time\nopen('here', 'w').write('x\\n')\ntime.sleep(600)\n")
    running = arena.start("-n2", "--start-method=fork")
    running.wait_for_lines("here")
    running.signal(signal.SIGINT)
    run = running.end()
    assert run.code == 2, run.output
    run.assert_says("was at collecting test_a.py", 'File "test_a.py", line 3, in <module>')
    run.assert_clean()
