"""What can end a debugger from outside, and what is left of the terminal then."""

from __future__ import annotations

import os
import signal

import pytest

from .console import Desk

SOURCE = """
    import pytest
    @pytest.fixture
    def thing():
        yield
        open('torn-down', 'w')
    def test_a(thing):
        pid = __import__('os').getpid()
        breakpoint()
    @pytest.mark.parametrize('n', range(6))
    def test_b(n): pass
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_worker_dies(desk: Desk, number: int) -> None:
    desk.write("test_a.py", SOURCE)
    console = desk.start("-n2")
    console.prompt()
    console.terminal.send("p half a li")  # the line editor has changed the terminal
    console.expect("half a li")
    (pid,) = [pid for pid in console.pids() if os.getpgid(pid) == os.tcgetpgrp(console.terminal.child_fd)]
    os.kill(pid, number)
    run = console.end()
    assert run.code == 1, run.output
    run.assert_says("crashed while running 'test_a.py::test_a'", "1 failed, 6 passed")
    run.assert_clean()


def test_the_run_is_ended(desk: Desk) -> None:
    desk.write("test_a.py", SOURCE)
    console = desk.start("-n2")
    console.prompt()
    os.kill(console.controller(), signal.SIGTERM)
    run = console.end()
    assert run.code == 2, run.output
    run.assert_clean()
    assert (desk.arena.folder / "torn-down").exists(), run.output


def test_the_run_is_ended_while_another_waits(desk: Desk) -> None:
    desk.write("test_a.py", "def test_a(): breakpoint()\ndef test_b(): breakpoint()\n")
    console = desk.start("-n2")
    console.prompt()
    console.answer("!import time; time.sleep(0.5)")
    os.kill(console.controller(), signal.SIGTERM)
    run = console.end()
    assert run.code == 2, run.output
    assert run.output.count("has the terminal") == 1
    run.assert_clean()


@pytest.mark.parametrize("process", ["controller", "coordinator"])
def test_a_process_of_the_run_is_killed(desk: Desk, process: str) -> None:
    desk.write("test_a.py", SOURCE)
    console = desk.start("-n2")
    console.prompt()
    console.terminal.send("p half a li")
    console.expect("half a li")
    os.kill(getattr(console, process)(), signal.SIGKILL)
    run = console.end()
    assert run.code == (137 if process == "controller" else 3), run.output
    assert not run.survivors


def test_the_terminal_is_closed(desk: Desk) -> None:
    desk.write("test_a.py", SOURCE)
    console = desk.start("-n2")
    console.prompt()
    console.terminal.close(force=False)
    console.wait_until_gone()
