"""``outpace watch``: what runs when a file is saved or a key is pressed, and how it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import psutil
import pytest
from lab import OUTPACE, PATIENCE, Lab
from watching import TELLS, Watching, counts, ran

Start = Callable[..., Watching]


@pytest.fixture
def watch(lab: Lab) -> Iterator[Start]:
    """Starts it, in a project whose tests say that they ran; the first run is over."""
    (lab.folder / "test_it.py").unlink()
    lab.write("conftest.py", TELLS)
    started: list[Watching] = []

    def start(*args: str, **options: object) -> Watching:
        started.append(Watching(lab, *args, **options))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for each in started:
        try:
            os.kill(each.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        if not hasattr(each, "plain"):
            each.process.close(force=True)
        else:
            each.plain.wait()


def test_a_save_runs_the_tests_of_the_file_and_what_turned_is_said(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): pass\ndef test_a2(): pass\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch()
    assert counts(it.rest()) == "3 passed"
    ran(lab.folder)
    it.save("test_a.py", "def test_a(): assert 0\ndef test_a2(): pass\n")
    said = it.rest()
    assert "outpace watch: test_a.py changed: its tests\n" in said
    assert counts(said) == "1 failed, 1 passed"
    assert "green -> red: test_a.py::test_a\n" in said and "1 red" in said
    assert sorted(ran(lab.folder)) == ["test_a.py::test_a", "test_a.py::test_a2"]
    it.save("test_a.py", "def test_a(): pass\ndef test_a2(): pass\n")
    said = it.rest()
    assert counts(said) == "2 passed" and "red -> green: test_a.py::test_a\n" in said and " 1 red" not in said
    assert it.quit() == 0
    it.assert_only_the_server_is_left()


def test_failed_tests_come_first_then_those_of_the_file_then_its_users_then_all(lab: Lab, watch: Start) -> None:
    lab.write("app.py", "")
    lab.write("test_a.py", "def test_a(): pass\n")
    lab.write("test_b.py", "import app\ndef test_b(): pass\n")
    lab.write("test_c.py", "from test_d import X\ndef test_c(): pass\n")
    lab.write("test_d.py", "X = 1\ndef test_d(): pass\n")
    lab.write("test_e.py", "def test_e1(): pass\ndef test_e2(): assert 0\n")
    it = watch("--all", "-n", "1", "--no-history")
    it.rest()
    assert len(ran(lab.folder)) == 6
    it.save("test_d.py", "X = 2\ndef test_d(): pass\n")
    said = it.rest()
    assert "test_d.py changed: 1 failed, then its tests, then 1 file that uses it, then all others" in said
    order = ["test_e.py::test_e2", "test_d.py::test_d", "test_c.py::test_c"]
    others = ["test_a.py::test_a", "test_b.py::test_b", "test_e.py::test_e1"]
    assert ran(lab.folder) == [*order, *others]
    assert it.quit() == 0


_USERS = {
    "test_direct.py": "import app\ndef test_it(): assert app.VALUE\n",
    "test_through.py": "def test_it(): pass\nfrom pkg.middle import VALUE\n",
    "test_named.py": "import importlib\napp = importlib.import_module('app')\ndef test_it(): assert app.VALUE\n",
    "test_late.py": "def test_it():\n    import app\n    assert app.VALUE\n",
    "test_other.py": "import pkg.other\ndef test_it(): pass\n",
}


@pytest.mark.parametrize("how", [(), ("-n2", "--start-method=spawn"), ("-n0",)], ids=["fork", "spawn", "alone"])
def test_users_of_a_changed_module_run_and_no_others(lab: Lab, watch: Start, how: tuple[str, ...]) -> None:
    lab.write("app.py", "VALUE = 1\n")
    lab.write("pkg/__init__.py", "")
    lab.write("pkg/middle.py", "from app import VALUE\n")
    lab.write("pkg/other.py", "")
    for name, text in _USERS.items():
        lab.write(name, text)
    it = watch(*how)
    assert counts(it.rest()) == "5 passed"
    ran(lab.folder)
    for value in (22, 333):  # the second time nothing but the module has to be imported anew
        it.save("app.py", f"VALUE = {value}\n")
        said = it.rest()
        assert "app.py changed: 4 files that use it" in said
        assert sorted(ran(lab.folder)) == sorted(f"{name}::test_it" for name in _USERS if name != "test_other.py")
    it.save("pkg/__init__.py", "X = 1\n")
    it.rest()
    assert sorted(ran(lab.folder)) == ["test_other.py::test_it", "test_through.py::test_it"]
    it.save("conftest.py", TELLS + "\n")
    it.rest()
    assert len(ran(lab.folder)) == 5
    assert it.quit() == 0


def test_files_that_tests_read_count_and_files_that_nobody_reads_do_not(lab: Lab, watch: Start) -> None:
    lab.write("data.json", "[1]")
    lab.write("late.txt", "1")
    lab.write("notes.md", "")
    lab.write("test_a.py", "import json\nDATA = json.load(open('data.json'))\ndef test_a(): assert DATA\n")
    lab.write("test_b.py", "def test_b(): assert open('late.txt').read()\n")
    it = watch()
    assert counts(it.rest()) == "2 passed"
    ran(lab.folder)
    it.save("notes.md", "more")
    assert "no test uses notes.md" in it.rest()
    it.save("data.json", "[]")
    assert "green -> red: test_a.py::test_a" in it.rest()
    it.save("data.json", "[2, 3]")
    it.rest()
    ran(lab.folder)
    it.save("late.txt", "")
    said = it.rest()
    assert "late.txt changed: 1 file that uses it" in said and ran(lab.folder) == ["test_b.py::test_b"]
    assert it.quit() == 0


_SLOW = """
import os, pathlib, time, pytest
@pytest.fixture
def thing():
    yield
    pathlib.Path("../torn").write_text("down")
def test_slow(thing):
    pathlib.Path("../on").write_text(str(os.getpid()))
    time.sleep({seconds})
"""


def _wait_for(path: Path) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()):
            path.unlink()
            return text
        time.sleep(0.01)
    raise AssertionError(f"{path} does not come")


def _is_gone(pid: int) -> bool:
    until = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
        time.sleep(0.01)
    return not os.path.exists(f"/proc/{pid}")


def test_a_newer_save_ends_a_run_that_it_makes_pointless(lab: Lab, watch: Start, tmp_path: Path) -> None:
    lab.write("test_a.py", _SLOW.format(seconds=0))
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch("-n", "2")
    it.rest()
    (tmp_path / "torn").unlink()
    _wait_for(tmp_path / "on")
    it.save("test_a.py", _SLOW.format(seconds=600))
    worker = int(_wait_for(tmp_path / "on"))
    assert not (tmp_path / "torn").exists()
    it.save("test_a.py", _SLOW.format(seconds=0))
    said = it.rest()
    assert "stopping, test_a.py changed" in said and "KeyboardInterrupt" in said and counts(said) == "1 passed"
    assert _wait_for(tmp_path / "torn") == "down"
    assert _is_gone(worker)
    assert it.quit() == 0
    it.assert_only_the_server_is_left()


def test_a_save_that_does_not_concern_the_run_waits_for_its_end(lab: Lab, watch: Start, tmp_path: Path) -> None:
    held = "import pathlib, time\ndef test_a():\n    pathlib.Path('../on').write_text('1')\n"
    held += "    while pathlib.Path('../hold').exists(): time.sleep(0.01)\n"
    lab.write("test_a.py", held)
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch()
    it.rest()
    _wait_for(tmp_path / "on")
    lab.write("../hold", "")
    it.save("test_a.py", f"{held}#\n")
    _wait_for(tmp_path / "on")
    it.save("test_b.py", "def test_b(): assert 0\n")
    time.sleep(0.2)
    (tmp_path / "hold").unlink()
    said = it.until("green -> red: test_b.py::test_b")
    assert "stopping" not in said and "1 passed" in said and "test_b.py changed: its tests" in said
    it.rest()
    assert it.quit() == 0


def test_keys(lab: Lab, watch: Start) -> None:
    lab.write("tests/test_a.py", "def test_a(): assert 0\n")
    lab.write("tests/test_b.py", "def test_b(): pass\n")
    it = watch()
    assert counts(it.rest()) == "1 failed, 1 passed"
    ran(lab.folder)
    assert counts(it.press("f")) == "1 failed" and ran(lab.folder) == ["tests/test_a.py::test_a"]
    assert counts(it.press("a")) == "1 failed, 1 passed"
    it.process.send("o")
    it.until("part of its name")
    assert counts(it.press("test_x\x7fb\r")) == "1 passed"
    assert counts(it.press("l")) == "1 passed"
    it.process.send("o")
    it.until("part of its name")
    assert "no file with tests is called nothing" in it.press("nothing\r")
    it.process.send("?")
    it.until("q quit")
    it.save("tests/test_a.py", "def test_a(): pass\n")
    it.rest()
    assert "nothing is red" in it.press("f")
    assert it.quit() == 0
    it.assert_only_the_server_is_left()


def test_a_debugger_at_the_failure(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a():\n    value = 41\n    assert value == 0\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch()
    it.rest()
    ran(lab.folder)
    it.process.send("d")
    it.until(r"\(Pdb\)")
    it.process.sendline("value + 1")
    it.until("42")
    it.until(r"\(Pdb\)")
    it.process.sendline("c")
    assert counts(it.rest()) == "1 failed"
    assert ran(lab.folder) == ["test_a.py::test_a"]
    assert counts(it.press("f")) == "1 failed"  # keys are heard again
    assert it.quit() == 0
    it.assert_only_the_server_is_left()


def _modes(it: Watching) -> tuple[int, list[object]]:
    found = termios.tcgetattr(it.process.fd)
    return found[3], found[6]


def test_the_terminal_is_as_it_was(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): pass\n")
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    process = subprocess.Popen(
        [OUTPACE, "--python", sys.executable, "watch"],
        cwd=lab.folder, env=lab.env, stdin=slave, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "waiting for changes" in line:
            break
    assert not termios.tcgetattr(slave)[3] & (termios.ICANON | termios.ECHO)
    process.terminate()
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_run_and_watch(
    lab: Lab, watch: Start, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    lab.write("test_a.py", _SLOW.format(seconds=600))
    it = watch("-n", "2", terminal=False)
    worker = int(_wait_for(tmp_path / "on"))
    it.send(number)
    assert it.quit(None) == code
    assert "KeyboardInterrupt" in it.said
    assert _wait_for(tmp_path / "torn") == "down"
    assert _is_gone(worker)
    it.assert_only_the_server_is_left()


_STUCK = """
import os, pathlib, time, pytest
@pytest.fixture
def thing():
    yield
    pathlib.Path("../torn").write_text("down")
    time.sleep(600)
def test_slow(thing):
    pathlib.Path("../on").write_text(str(os.getpid()))
    time.sleep(600)
"""


def test_a_teardown_that_hangs_is_not_waited_for_for_ever(lab: Lab, watch: Start, tmp_path: Path) -> None:
    lab.write("test_a.py", _STUCK)
    it = watch("-n", "2")
    worker = int(_wait_for(tmp_path / "on"))
    it.process.send("q")
    _wait_for(tmp_path / "torn")
    it.process.send("q")
    time.sleep(0.5)
    if it.process.isalive():
        it.process.send("q")
    assert it.quit(None) == 0
    assert _is_gone(worker)
    it.assert_only_the_server_is_left()


def test_watch_that_is_killed_takes_the_run_along(lab: Lab, watch: Start, tmp_path: Path) -> None:
    lab.write("test_a.py", _STUCK)
    it = watch("-n", "2")
    worker = int(_wait_for(tmp_path / "on"))
    it.send(signal.SIGKILL)
    assert _is_gone(worker)
    it.assert_only_the_server_is_left()


def test_stopped_and_brought_back_it_hears_keys(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): pass\n")
    it = watch()
    it.rest()
    it.send(signal.SIGSTOP)
    until = time.monotonic() + PATIENCE
    while psutil.Process(it.pid).status() != psutil.STATUS_STOPPED and time.monotonic() < until:
        time.sleep(0.01)
    it.send(signal.SIGCONT)
    assert counts(it.press("a")) == "1 passed"
    assert it.quit() == 0


def test_ctrl_c_ends_it(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): pass\n")
    it = watch()
    it.rest()
    assert it.quit("\x03") == 130


@pytest.mark.parametrize("poll", [False, True])
def test_without_a_terminal_saves_run(lab: Lab, watch: Start, poll: bool) -> None:
    lab.write("test_a.py", "def test_a(): pass\n")
    it = watch(*["--poll"] * poll, terminal=False)
    first = it.rest()
    assert counts(first) == "1 passed" and ("looking for changes every" in first) is poll and "q quit" not in first
    it.save("test_a.py", "def test_a(): assert 0\n")
    assert counts(it.rest()) == "1 failed"
    it.save("sub/test_new.py", "def test_new(): pass\n")
    assert counts(it.rest()) == "1 failed, 1 passed"
    it.save("sub/test_new.py", "def test_new(): pass\ndef test_newer(): pass\n")
    assert counts(it.rest()) == "1 failed, 2 passed"
    it.send(signal.SIGTERM)
    assert it.quit(None) == 143
    it.assert_only_the_server_is_left()


def test_ci(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): pass\n")
    lab.env["CI"] = "true"
    refused = watch(terminal=False)
    assert refused.quit(None) == 4
    done = subprocess.run([OUTPACE, "watch"], cwd=lab.folder, env=lab.env, capture_output=True, text=True)
    assert "CI is set" in done.stderr and "outpace --warm watch" in done.stderr
    it = watch(own=("--warm",))
    assert counts(it.rest()) == "1 passed"
    assert it.quit() == 0


def test_what_k_and_m_leave_out_stays_out(lab: Lab, watch: Start) -> None:
    lab.write("pytest.ini", "[pytest]\nmarkers = slow\n")
    lab.write("test_a.py", "def test_yes(): pass\ndef test_no(): assert 0\n")
    lab.write("sub/test_b.py", "def test_yes_b(): assert 0\n")
    it = watch("-k", "yes", "-m", "not slow", ".", "--ignore=sub")
    assert counts(it.rest()) == "1 passed"
    it.save("test_a.py", "def test_yes(): pass\ndef test_yes2(): pass\ndef test_no(): assert 0\n")
    assert counts(it.rest()) == "2 passed"
    it.save("conftest.py", TELLS + "\n")
    assert counts(it.rest()) == "2 passed"
    assert counts(it.press("a")) == "2 passed"
    ran_tests = ran(lab.folder)
    assert not [test for test in ran_tests if "test_no" in test or "test_b" in test]
    assert it.quit() == 0


def test_what_cannot_be_collected_comes_again_with_the_next_save(lab: Lab, watch: Start) -> None:
    lab.write("app.py", "X = 1\n")
    lab.write("test_a.py", "import app\ndef test_a(): pass\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch()
    it.rest()
    it.save("app.py", "X = (1\n")  # of another size: Python takes a file of the same second and size for the same
    said = it.rest()
    assert "green -> red: test_a.py\n" in said and "not all of it ran" in said
    it.save("app.py", "X = 1000\n")
    said = it.rest()
    assert counts(said) == "1 passed" and "red -> green: test_a.py\n" in said
    it.save("test_c.py", "import missing\ndef test_c(): pass\n")
    assert "green -> red: test_c.py\n" in it.rest()
    it.save("missing.py", "")
    assert "red -> green: test_c.py\n" in it.rest()
    assert it.quit() == 0


def test_files_come_and_go(lab: Lab, watch: Start) -> None:
    lab.write("test_a.py", "def test_a(): assert 0\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch()
    assert counts(it.rest()) == "1 failed, 1 passed"
    (lab.folder / "test_a.py").rename(lab.folder / "test_z.py")
    said = it.rest()
    assert counts(said) == "1 failed"
    assert "green -> red: test_z.py::test_a" in said and "1 red" in said
    (lab.folder / "test_z.py").unlink()
    assert "red" not in it.rest()
    it.save("deep/er/test_new.py", "def test_new(): assert 0\n")
    assert "green -> red: deep/er/test_new.py::test_new" in it.rest()
    it.save("deep/er/test_new.py", "def test_new(): pass\n")
    assert "red -> green: deep/er/test_new.py::test_new" in it.rest()
    assert it.quit() == 0


def test_what_the_project_ignores_and_what_runs_write_start_nothing(lab: Lab, watch: Start) -> None:
    lab.write(".gitignore", "*.gen.py\nbuild/\n")
    lab.write("test_a.py", "import pathlib\ndef test_a(): pathlib.Path('made_here.py').write_text('')\n")
    it = watch()
    it.rest()  # where it was ended once: the first time nobody could know who wrote the file
    for name in ("x.gen.py", "build/test_b.py", ".hidden/test_c.py", "__pycache__/test_d.py", "test_e.py~"):
        it.save(name, "def test_x(): assert 0\n")
    time.sleep(0.2)
    it.save("test_a.py", "import pathlib\ndef test_a(): pathlib.Path('made_here.py').write_text('')\n#\n")
    said = it.rest()
    assert "outpace watch: test_a.py changed: its tests\n" in said and counts(said) == "1 passed"
    assert it.quit() == 0


def test_maxfail_forgets_nothing(lab: Lab, watch: Start) -> None:
    lab.write("app.py", "")
    lab.write("test_a.py", "def test_a(): pass\n")
    lab.write("test_b.py", "import app\ndef test_b(): pass\n")
    it = watch("-x", "-n", "1", "--no-history")
    it.rest()
    it.save("test_a.py", "def test_a(): assert 0\n")
    it.rest()
    ran(lab.folder)
    it.save("app.py", "X = 1\n")
    assert "not all of it ran" in it.rest()
    assert ran(lab.folder) == ["test_a.py::test_a"]
    it.save("test_a.py", "def test_a(): pass\n")
    it.rest()
    assert ran(lab.folder) == ["test_a.py::test_a", "test_b.py::test_b"]
    assert it.quit() == 0


def test_one_process(lab: Lab, watch: Start) -> None:
    lab.write("app.py", "")
    lab.write("test_a.py", "import app\ndef test_a(): pass\n")
    lab.write("test_b.py", "def test_b(): pass\n")
    it = watch("-n", "0")
    assert counts(it.rest()) == "2 passed"
    it.save("app.py", "X = 1\n")
    assert counts(it.rest()) in ("1 passed", "1 passed, 1 deselected")
    assert it.quit() == 0


_WARNS = "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)\n"
_ASKS = """import app
def test_a(): import broken
def test_b():
    import importlib
    importlib.import_module("broken")
"""


def test_watching_imports_changes_nothing_that_is_shown(lab: Lab) -> None:
    lab.write("app.py", _WARNS)
    lab.write("broken.py", "import nowhere\n")
    lab.write("test_a.py", _ASKS)
    lab.write("test_it.py", "import broken\n")
    for args in (["-n0"], ["-n0", "--ignore=test_it.py", "--tb=short"]):
        plain, watched = (lab.run(*more, *args, warm=False) for more in ([], ["-p", "outpace.watching"]))
        assert plain.told() == watched.told()
        assert plain.code == watched.code and "nowhere" in plain.output
    assert "test_a.py:1: DeprecationWarning" in plain.output


def test_every_test_is_chosen_once_and_none_that_is_not_there() -> None:
    from outpace.watching import selection

    class Item:
        def __init__(self, nodeid: str) -> None:
            self.nodeid = nodeid

    chance = random.Random(7)
    files = [f"test_{letter}.py" for letter in "abcd"]
    for _ in range(300):
        items = [Item(f"{chance.choice(files)}::test_{number}") for number in range(chance.randrange(12))]
        ids = [item.nodeid for item in items]
        some = [set(chance.sample(files, chance.randrange(4))) for _ in range(2)]
        failed = set(chance.sample([*ids, *files, "test_gone.py::test_gone"], chance.randrange(4)))
        plan = {"failed": failed, "changed": some[0], "dependent": some[1], "rest": chance.random() < 0.5}
        chosen, others = selection.split(items, plan)  # type: ignore[arg-type]
        assert sorted(map(id, items)) == sorted(map(id, [*chosen, *others]))
        ranks = [0 if {each.nodeid, each.nodeid.split("::")[0]} & failed else 1 for each in chosen]
        assert ranks == sorted(ranks)
        wanted = {*failed, *some[0], *some[1]}
        assert plan["rest"] or all({each.nodeid, each.nodeid.split("::")[0]} & wanted for each in chosen)
        assert not others or not plan["rest"]


def test_arguments_that_pytest_refuses_end_it(lab: Lab, watch: Start) -> None:
    it = watch("--no-such-option")
    assert it.quit(None) == 4
    assert "unrecognized arguments: --no-such-option" in it.said


def test_xdists_loop_is_answered_with_a_hint(lab: Lab) -> None:
    for args in (["-f"], ["--looponfail", "-n2"]):
        run = lab.run(*args, warm=False)
        assert run.code == 4 and "outpace watch" in run.output
    plain = [sys.executable, "-m", "pytest", "-f", "-p", "no:outpace"]
    child = pexpect.spawn(plain[0], plain[1:], cwd=str(lab.folder), env=lab.env, timeout=PATIENCE)
    child.expect("waiting for changes")
    child.sendintr()
    child.close(force=True)
