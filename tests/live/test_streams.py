"""``-s`` under ``-n``: what tests write is shown as it comes, in whole lines."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections import Counter

import pytest
from project import Project

TALK = """
    import ctypes, os, subprocess, sys, time
    import pytest

    print("say at import")

    @pytest.mark.parametrize("number", range(8))
    def test_talk(number):
        print("say", number)
        sys.stdout.write(f"say pieces of {number}: ")
        time.sleep(0.01)
        print("one, ", end="")
        os.write(1, b"two, ")
        subprocess.run(["sh", "-c", "printf three,; echo ' four'"], check=True)
        ctypes.CDLL(None).puts(b"say in C %d" % number)
        ctypes.CDLL(None).fflush(None)
        sys.stdout.buffer.write(b"say bytes %d\\n" % number)
        print(f"say on stderr {number}", file=sys.stderr)
        subprocess.run(["sh", "-c", f"echo say stderr of a subprocess {number} >&2"], check=True)
"""
PREFIX = re.compile(r"^\[gw\d+ (?P<test>test_[^ ]+)\] (?P<line>.*)$")

# Else pytest's dots come between the pieces of a serial run's lines.
AT_ONCE = {"PYTHONUNBUFFERED": "1"}


def said(text: str) -> Counter[str]:
    """The lines of tests, without the marks of pytest's progress that serial runs put before them."""
    found = (re.search(r"say .*", line) for line in text.splitlines())
    return Counter(match.group() for match in found if match)


def by_test(text: str) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        match = PREFIX.match(line)
        if match:
            lines.setdefault(match["test"], []).append(match["line"])
    return lines


def test_the_same_lines_as_serially(project: Project, method: str) -> None:
    project.files(test_a=TALK)
    serial = project.plain("-s", env=AT_ONCE)
    run = project.run("-s", "-n2", method)
    assert run.ret == serial.ret == 0
    assert said(run.out) == said(serial.out), "each line once, also the one at import"
    assert said(run.err) == said(serial.err) and len(said(run.err)) == 16, "stderr stays on stderr"
    assert run.counts["passed"] == 8
    found = by_test(run.out)
    for number in range(8):
        lines = found[f"test_talk[{number}]"]
        assert lines[:2] == [f"say {number}", f"say pieces of {number}: one, two, three, four"]


def test_pieces_of_two_workers_are_not_mixed(project: Project) -> None:
    project.files(
        test_a="""
        import sys, time, pytest
        @pytest.mark.parametrize("name", ["x", "y"])
        def test_slowly(name):
            for _ in range(10):
                for _ in range(20):
                    sys.stdout.write(name)
                    time.sleep(0.001)
                print()
    """
    )
    run = project.run("-s", "-n2")
    assert by_test(run.out) == {f"test_slowly[{name}]": [name * 20] * 10 for name in "xy"}


def test_one_worker_needs_no_name(project: Project, method: str) -> None:
    project.files(test_a=TALK)
    run = project.run("-s", "-n1", method)
    assert "say 3" in run.lines
    assert not by_test(run.out)


@pytest.mark.parametrize("mode", ["each", "loadfile", "worksteal"])
def test_modes(project: Project, mode: str) -> None:
    project.files(test_a=TALK)
    run = project.run("-s", "-n2", "--dist", mode)
    times = 2 if mode == "each" else 1
    assert said(run.out)["say bytes 5"] == times


def test_grows(project: Project) -> None:
    project.files(
        test_a="""
        import time, pytest
        @pytest.mark.parametrize("number", range(12))
        def test_wait(number):
            time.sleep(0.4)
            print(f"say {number}")
    """
    )
    run = project.run("-s", "-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": None})
    assert said(run.out) == Counter(f"say {number}" for number in range(12))


def test_a_line_that_a_crash_left_unfinished(project: Project, method: str) -> None:
    project.files(
        test_a="""
        import os, sys
        def test_dies():
            print("say all of this")
            print("say the last words", end="")
            os.kill(os.getpid(), 9)
        def test_exits():
            sys.stdout.write("say goodbye")
            os._exit(3)
        def test_segfault():
            print("say it crashed", end="")
            import ctypes
            ctypes.string_at(0)
    """
    )
    run = project.run("-s", "-n2", method)
    assert run.ret == 1
    assert by_test(run.out) == {
        "test_dies": ["say all of this", "say the last words"],
        "test_exits": ["say goodbye"],
        "test_segfault": ["say it crashed"],
    }
    assert "[gw" in run.err and "Fatal Python error: Segmentation fault" in run.err


def test_an_unfinished_line_at_the_end_of_a_test(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(6))
        def test_no_end(number):
            print(f"say {number}", end="")
    """
    )
    run = project.run("-s", "-n2")
    assert by_test(run.out) == {f"test_no_end[{number}]": [f"say {number}"] for number in range(6)}


def test_lines_come_while_the_test_runs(project: Project) -> None:
    """The test waits for what is done when its line has been seen."""
    project.files(
        test_a="""
        import os, time
        def test_waits():
            print("say that it waits")
            while not os.path.exists("seen"):
                time.sleep(0.01)
        def test_other(): pass
    """
    )
    command = [sys.executable, "-m", "pytest", "-s", "-n2"]
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        seen = b""
        while b"[gw0 test_waits] say that it waits\n" not in seen:
            ready, _, _ = select.select([process.stdout], [], [], 30)
            assert ready, f"nothing more came: {seen!r}"
            seen += os.read(process.stdout.fileno(), 65536)
        project.write("seen", "")
        process.stdout.read()
        assert process.wait(30) == 0


def test_streams_are_what_they_are_under_xdist(project: Project) -> None:
    project.files(
        test_a="""
        import sys
        def test_streams():
            assert not sys.stdout.isatty() and not sys.stderr.isatty()
            assert sys.stdin.read() == ""
            assert sys.stdout.fileno() == 1 and sys.stderr.fileno() == 2
            assert sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__
            print("say ä €")
    """
    )
    run = project.run("-s", "-n2")
    assert run.ret == 0, run.out
    assert said(run.out) == {"say ä €": 1}


def test_names_that_are_no_plain_text(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("value", ["a::b", "new\\nline", "\\0outpace:x"], ids=str)
        def test_name(value):
            print("say it")
    """
    )
    run = project.run("-s", "-n2")
    assert run.ret == 0, run.out
    assert said(run.out) == {"say it": 3}


def test_what_collection_says_before_it_fails(project: Project, method: str) -> None:
    project.files(test_a="print('say it')\nimport os\nos.write(2, b'say why\\n')\nos._exit(7)\n")
    run = project.run("-s", "-n2", method)
    assert run.ret == 3
    # Spawned workers collect for themselves: the second dies of it too, where a core is free for it.
    times = (1,) if method == "--start-method=fork" else (1, 2)
    assert said(run.out) in [{"say it": each} for each in times], run.out
    assert said(run.err) in [{"say why": each} for each in times], run.err


def test_a_spawned_worker_that_dies_while_it_collects(project: Project) -> None:
    project.files(
        test_a="""
        import os
        print("say at import")
        if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":
            print("say it dies", end="")
            os._exit(9)
        def test_one(): pass
        def test_two(): pass
    """
    )
    run = project.run("-s", "-n2", "--start-method=spawn", "--max-worker-restart=0")
    assert said(run.out)["say it dies"] == 1


def test_tee(project: Project) -> None:
    """Live, and in the report."""
    project.files(test_a="def test_fails():\n    print('say so')\n    assert False\n")
    run = project.run("--capture=tee-sys", "-n2")
    assert run.lines.count("[gw0 test_fails] say so") == 1
    run.match("*Captured stdout call*", "say so")


def test_nothing_is_captured(project: Project) -> None:
    project.files(test_a="def test_fails():\n    print('say so')\n    assert False\n")
    run = project.run("-s", "-n2")
    run.no_match("*Captured stdout*")
    assert run.lines.count("[gw0 test_fails] say so") == 1


def test_without_a_terminal_plugin(project: Project) -> None:
    project.files(test_a=TALK)
    run = project.run("-s", "-n2", "-p", "no:terminal")
    assert run.ret == 0
    assert said(run.out) == said(project.plain("-s", env=AT_ONCE).out)


def test_progress_stays_whole(project: Project) -> None:
    project.files(test_a=TALK)
    run = project.run("-s", "-n2", "-v")
    for number in range(8):
        assert (
            sum(bool(re.fullmatch(rf"\[gw\d\] PASSED test_a.py::test_talk\[{number}\] ?", x)) for x in run.lines) == 1
        )
    assert all(line.startswith("[gw") for line in run.lines if "say" in line and "import" not in line)
