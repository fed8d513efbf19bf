"""All the ways into a debugger and out of it: what is seen and typed is what a serial run shows and takes."""

from __future__ import annotations

import re

import pytest

from .console import Desk

METHODS = ("fork", "spawn")

BREAKPOINT = """
    def test_before(): pass
    def test_a():
        x = 41
        breakpoint()
        y = x + 1
        assert y == 42
    def test_after(): pass
"""
FAILURE = """
    def test_a():
        value = 7
        print("some words")
        assert value == 8
    def test_b(): pass
"""


def session(output: str) -> str:
    """What pytest and the debugger print while the terminal is lent."""
    start = output.index(">", output.index("has the terminal") + len("has the terminal"))
    return output[start:]


@pytest.mark.parametrize("method", METHODS)
def test_a_breakpoint(desk: Desk, method: str) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2", f"--start-method={method}")
    seen = console.prompt()
    assert re.search(r">+ outpace: gw\d has the terminal: test_a.py::test_a >+", seen), seen
    assert re.search(r">+ PDB set_trace \(IO-capturing turned off\) >+", seen), seen
    # Python 3.13 stops at the call itself.
    assert re.search(r"test_a.py\([45]\)test_a\(\)\n-> (y = x \+ 1|breakpoint\(\))", seen), seen
    assert console.answer("p x") == "41"
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("PDB continue (IO-capturing resumed)", "3 passed")
    run.assert_clean()


@pytest.mark.parametrize("option", ["-s", "--capture=sys", "--capture=tee-sys"])
def test_without_capture_of_descriptors(desk: Desk, option: str) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2", option)
    console.prompt()
    assert console.answer("p x") == "41"
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("3 passed")


@pytest.mark.parametrize("workers", ["-n2", "-nauto"])
@pytest.mark.parametrize("method", METHODS)
def test_pdb_shows_what_it_shows_serially(desk: Desk, method: str, workers: str) -> None:
    desk.write("test_a.py", FAILURE)
    shown = []
    for options in (("-n0",), (workers, f"--start-method={method}")):
        console = desk.start("--pdb", "-p", "no:cacheprovider", *options)
        seen = console.prompt()
        shown.append(seen[re.search(r">+ (captured stdout|traceback) >+", seen).start() :])  # type: ignore[union-attr]
        assert console.answer("p value") == "7"
        console.type("c")
        run = console.end()
        assert run.code == 1, run.output
        run.assert_says("1 failed, 1 passed")
        assert run.output.count("assert value == 8") == 2, f"the failure is shown once\n{run.output}"
        run.assert_clean()
    assert shown[0] == shown[1]


def test_addopts(desk: Desk) -> None:
    desk.write("pytest.ini", "[pytest]\naddopts = -n auto --pdb\n")
    desk.write("test_a.py", FAILURE)
    console = desk.start()
    assert "gw" in console.prompt()
    console.type("c")
    assert console.end().code == 1


def test_trace(desk: Desk) -> None:
    desk.write("test_a.py", "def test_a(): pass\ndef test_b(): pass\n")
    console = desk.start("-n2", "--trace")
    tests = []
    for _ in range(2):
        seen = console.prompt()
        assert "PDB runcall" in seen
        tests += re.findall(r"has the terminal: test_a.py::(\w+)", seen)
        console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    assert sorted(tests) == ["test_a", "test_b"]


def test_a_class_of_ones_own(desk: Desk) -> None:
    prompt = "    prompt = property(lambda self: '(MyPdb) ', lambda self, given: None)\n"
    desk.write("mine.py", f"import pdb\nclass MyPdb(pdb.Pdb):\n{prompt}")
    desk.write("conftest.py", "import sys, os\nsys.path.insert(0, os.path.dirname(__file__))\n")
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2", "--pdbcls=mine:MyPdb")
    console.expect(r"\(MyPdb\) ")
    console.type("c")
    assert console.end().code == 0


@pytest.mark.parametrize("way", ["pytest.set_trace()", "pdb.set_trace()"])
def test_other_ways_in(desk: Desk, way: str) -> None:
    desk.write("test_a.py", f"import pdb, pytest\ndef test_a():\n    x = 5\n    {way}\n    assert x\n")
    console = desk.start("-n2")
    console.prompt()
    assert console.answer("p x") == "5"
    console.type("c")
    assert console.end().code == 0


def test_pythonbreakpoint(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    run = desk.start("-n2", env={"PYTHONBREAKPOINT": "0"}).end()
    assert run.code == 0
    assert "has the terminal" not in run.output


def test_a_breakpoint_that_is_set_in_the_debugger(desk: Desk) -> None:
    source = """
        def test_a():
            breakpoint()
            total = 0
            for number in range(3):
                total += number
            assert total == 3
    """
    desk.write("test_a.py", source)
    console = desk.start("-n2")
    console.prompt()
    console.answer("b 5")
    for number in range(3):
        console.type("c")
        console.prompt()
        assert console.answer("p number") == str(number)
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output


def test_a_debugger_in_the_debugger(desk: Desk) -> None:
    desk.write("test_a.py", "def work():\n    return 3\n" + "def test_a():\n    breakpoint()\n    assert work() == 3\n")
    console = desk.start("-n2")
    console.prompt()
    console.type("debug work()")
    console.expect(r"\(\(Pdb\)\) ")
    console.type("c")
    console.prompt()
    assert console.answer("p 6 * 7") == "42"
    console.type("c")
    assert console.end().code == 0


def test_what_the_test_starts_has_the_terminal_too(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2")
    console.prompt()
    console.type("!import subprocess; subprocess.call(['sh', '-c', 'read it; echo got $it'])")
    console.type("key-strokes")
    console.expect("got key-strokes")
    console.prompt()
    console.type("c")
    assert console.end().code == 0


def test_the_size_of_the_window(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2")
    console.prompt()
    assert "columns=160, lines=50" in console.answer("!import os; print(os.get_terminal_size())")
    console.terminal.setwinsize(30, 90)
    console.type("!print(os.get_terminal_size())")
    console.expect("columns=90, lines=30")
    console.prompt()
    console.terminal.setwinsize(50, 160)
    console.type("c")
    assert console.end().code == 0


def test_completion_and_history(desk: Desk) -> None:
    desk.write("test_a.py", "def test_a():\n    a_long_name = 12\n    breakpoint()\n    assert a_long_name\n")
    console = desk.start("-n2")
    console.prompt()
    console.terminal.send("p a_long\t")
    console.expect("a_long_name")
    console.type("")
    assert "12" in console.prompt()
    console.terminal.send("\x1b[A")  # up: the command before
    console.expect("p a_long_name")
    console.type("")
    assert "12" in console.prompt()
    console.type("c")
    assert console.end().code == 0


# -- ways out


def test_quit_ends_the_run(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT + "    def test_more(): pass\n" * 3)
    console = desk.start("-n2")
    console.prompt()
    console.type("q")
    run = console.end()
    assert run.code == 2, run.output
    run.assert_says("Exit: Quitting debugger")
    run.assert_clean()


def test_quit_while_another_waits(desk: Desk) -> None:
    desk.write("test_a.py", "def test_a(): breakpoint()\ndef test_b(): breakpoint()\n")
    console = desk.start("-n2")
    seen = console.prompt()
    console.type("q")
    run = console.end()
    assert run.code == 2, run.output
    run.assert_says("Exit: Quitting debugger")
    assert run.output.count("has the terminal") == 1, seen
    run.assert_clean()


def test_ctrl_d(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    outcome = {}
    for workers in ("-n0", "-n2"):
        console = desk.start(workers)
        console.prompt()
        console.control("d")
        run = console.end()
        outcome[workers] = run.code, "BdbQuit" in run.output, "1 failed, 2 passed" in run.output
    assert outcome["-n0"] == outcome["-n2"] == (1, True, True)


def test_ctrl_d_in_a_failure(desk: Desk) -> None:
    desk.write("test_a.py", FAILURE)
    console = desk.start("-n2", "--pdb")
    console.prompt()
    console.control("d")
    run = console.end()
    assert run.code == 2, run.output
    run.assert_says("Exit: Quitting debugger")
    run.assert_clean()


def test_ctrl_c_is_the_debuggers(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2")
    console.prompt()
    console.control("c")
    assert "--KeyboardInterrupt--" in console.prompt()
    assert console.answer("p x") == "41"
    console.type("c")
    run = console.end()
    assert run.code == 0, run.output
    run.assert_says("3 passed")


def test_ctrl_c_while_a_line_runs(desk: Desk) -> None:
    desk.write("test_a.py", "import time\ndef test_a():\n    breakpoint()\n    time.sleep(600)\n")
    console = desk.start("-n2")
    if "-> breakpoint()" in console.prompt():
        console.answer("n")
    console.type("n")
    console.expect("n\r\n")
    console.control("c")
    seen = console.prompt()
    assert "KeyboardInterrupt" in seen, seen
    console.type("q")
    run = console.end()
    assert run.code == 2, run.output
    run.assert_clean()


def test_ctrl_c_afterwards_is_the_runs(desk: Desk) -> None:
    desk.write("test_a.py", "import time\ndef test_a():\n    breakpoint()\n    open('on', 'w')\n    time.sleep(600)\n")
    console = desk.start("-n2", "--pdb")
    console.prompt()
    console.type("c")
    console.wait(lambda: (desk.arena.folder / "on").exists())
    console.control("c")
    run = console.end()
    assert run.code == 2, run.output
    run.assert_says("KeyboardInterrupt", "interrupted while running")
    assert run.interrupted == ["test_a.py::test_a"]
    run.assert_clean()


def test_ctrl_z_does_nothing(desk: Desk) -> None:
    desk.write("test_a.py", BREAKPOINT)
    console = desk.start("-n2")
    console.prompt()
    console.control("z")
    assert "41" in console.answer("p x")
    console.type("c")
    assert console.end().code == 0


# -- unittest, doctest


def test_unittest_is_torn_down_after_the_debugger(desk: Desk) -> None:
    source = """
        import unittest
        class TestA(unittest.TestCase):
            def setUp(self): self.open = True
            def tearDown(self): self.open = False
            def test_a(self): self.fail("no")
    """
    desk.write("test_a.py", source)
    console = desk.start("-n2", "--pdb")
    console.prompt()
    assert console.answer("p self.open") == "True"
    console.type("c")
    assert console.end().code == 1
