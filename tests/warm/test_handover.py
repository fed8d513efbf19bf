"""`pytest -n …` in a project with `warm = true` is a warm run; any other run is as it ever was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest
from lab import PATIENCE, Lab, Result, finished
from test_caller import worker_of

_WARM = "[tool.outpace]\nwarm = true\n"
_COLD = "[tool.outpace]\nwarm = false\n"
_SCRIPT = """
import sys, _pytest.config as config
main = getattr(config, "_console_main", None) or config.console_main  # since pytest 9.1, and before
if __name__ == "__main__":
    sys.exit(main())
"""
_MODULE = [sys.executable, "-m", "pytest"]
_ALWAYS = ["-n", "2", "--no-history"]

# All that a process could tell its tests of how it was started.
_SEES = """
import json, os, subprocess, sys
_OWN = ("PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "SHLVL", "_")
def sees():
    print_it = "import json, os; print(json.dumps(dict(os.environ)))"
    environments = [dict(os.environ), json.loads(subprocess.check_output([sys.executable, "-c", print_it]))]
    kept = [{k: v for k, v in sorted(each.items()) if k not in _OWN} for each in environments]
    flags = str(sys.flags), sys.warnoptions, sorted(sys._xoptions.items())
    return [os.getcwd(), sys.argv, sys.path, flags, kept]
"""
_TEST = """
import json, os, sys
from sees import sees
def test_it(request):
    print("sees", json.dumps(sees()))
    print("started as", request.config.invocation_params.args, request.config.workerinput["mainargv"])
    assert sys.argv == []
"""
_CONFTEST = """
import json, sys
from sees import sees
def pytest_report_header(config):
    if not hasattr(config, "workerinput"):
        return "controller sees " + json.dumps(sees())
"""


@pytest.fixture
def warm(lab: Lab) -> Lab:
    lab.write("pyproject.toml", _WARM)
    script = lab.write("../bin/pytest", f"#!{sys.executable}\n{_SCRIPT}")
    script.chmod(0o755)
    return lab


def script(lab: Lab) -> list[str]:
    return [str(lab.folder.parent / "bin" / "pytest")]


def start(lab: Lab, program: Sequence[str], *args: str, **options: Any) -> subprocess.Popen[str]:
    return lab.start_program([*program, *args], **options)


def run(lab: Lab, program: Sequence[str], *args: str, **options: Any) -> Result:
    return finished(start(lab, program, *args, **options))


def has_server(lab: Lab) -> bool:
    return lab.server("status").code == 0


_WAYS: dict[str, list[str]] = {
    "script": [],
    "script by a relative path": ["../bin/pytest"],
    "module": _MODULE,
    "options of the interpreter": [sys.executable, "-O", "-W", "error::UserWarning", "-Xdev", "-u", "-m", "pytest"],
    "deprecations are errors": [sys.executable, "-Werror::DeprecationWarning", "-m", "pytest"],
    "isolated": [sys.executable, "-Im", "pytest"],
    "script of another interpreter's options": [sys.executable, "-bWdefault", "../bin/pytest"],
}


@pytest.mark.parametrize("way", _WAYS)
def test_a_warm_run_is_what_a_cold_one_is(warm: Lab, way: str) -> None:
    warm.write("sees.py", _SEES)
    warm.write("conftest.py", f"import os, sys\nsys.path.append(os.path.dirname(__file__))\n{_CONFTEST}")
    warm.write("test_it.py", _TEST)
    program, args = _WAYS[way] or script(warm), [*_ALWAYS, "-rA", "--import-mode=append"]
    warm.write("pyproject.toml", _COLD)
    cold = run(warm, program, *args)
    assert (cold.note, cold.code) == ("", 1), cold.output
    assert "controller sees" in cold.output and "1 failed" in cold.output, cold.output
    warm.write("pyproject.toml", _WARM)
    notes = []
    for _ in range(2):
        found = run(warm, program, *args)
        notes.append(found.note)
        assert found.told() == cold.told()
        warm.settle()
    assert notes == ["warm: none yet (the first run)", "warm: collected"]
    assert "pytest -n 2" in warm.server("status").output


@pytest.mark.parametrize("place", ["arguments", "ini", "another ini", "environment"])
def test_wherever_workers_are_asked_for(warm: Lab, place: str) -> None:
    args = []
    if place == "arguments":
        args = ["-q", "--numprocesses=2"]
    elif place == "ini":
        warm.write("pytest.ini", "[pytest]\naddopts = -n2\n")
    elif place == "another ini":
        warm.write("other.ini", "[pytest]\naddopts = -n=2\n")
        args = ["-c", "other.ini"]
    else:
        warm.env["PYTEST_ADDOPTS"] = "-n 2"
    found = run(warm, _MODULE, *args, "-v")
    assert (found.code, found.note) == (0, "warm: none yet (the first run)"), found.output


@pytest.mark.parametrize(
    "args", [[], ["-n", "0"], ["-n2", "-n0"], ["-n2", "--co"], ["-n2", "-h"], ["-n2", "-p", "no:outpace"]]
)
def test_a_run_without_workers_of_outpace_is_pytests_own(warm: Lab, args: list[str]) -> None:
    found = run(warm, _MODULE, *args)
    assert (found.code, found.note) == (0, ""), found.output
    assert "2 workers" not in found.output or "no:outpace" in args
    assert not has_server(warm)


@pytest.mark.parametrize(("value", "note"), [("true", ""), ("1", ""), ("false", "warm: none yet (the first run)")])
def test_never_in_ci(warm: Lab, value: str, note: str) -> None:
    warm.env["CI"] = value
    found = run(warm, script(warm), *_ALWAYS)
    assert (found.code, found.note) == (0, note), found.output
    assert has_server(warm) == bool(note)


@pytest.mark.parametrize(
    "text", ["", "[tool.outpace]\n# warm = true\n", '[tool.other]\noutpace = "warm = true"\n', "[outpace warm"]
)
def test_only_where_the_project_says_so(warm: Lab, text: str) -> None:
    warm.write("pyproject.toml", text)
    found = run(warm, script(warm), *_ALWAYS)
    assert found.note == "" and not has_server(warm), found.output


def test_from_a_folder_of_the_project(warm: Lab) -> None:
    (warm.folder / "pytest.ini").unlink()
    warm.write("sub/test_sub.py", "def test_sub(): pass\n")
    found = run(warm, script(warm), *_ALWAYS, "test_sub.py", cwd=warm.folder / "sub")
    assert found.note == "warm: none yet (the first run)" and "1 passed" in found.output


_PROGRAMS = {
    "a program": "import pytest, sys\nsys.argv[1:] = ['-n2']\ncode = pytest.main(sys.argv[1:])\nprint('after it')\n",
    "its own command, called": "import pytest, sys\ndef f():\n    pytest.console_main()\nf()\nprint('after it')\n",
    "a script of that name": "import pytest, sys\npytest.main(sys.argv[1:])\nprint('after it')\n",
}


@pytest.mark.parametrize("what", _PROGRAMS)
def test_a_program_that_calls_pytest_stays_what_it_is(warm: Lab, what: str) -> None:
    name = "../own/pytest" if "name" in what else "runner.py"
    program = warm.write(name, _PROGRAMS[what])
    found = run(warm, [sys.executable, str(program), "-n2"])
    assert (found.code, found.note) == (0, ""), found.output
    assert "1 passed" in found.output and "after it" in found.output
    assert not has_server(warm)


def test_a_module_that_runs_pytest_stays_what_it_is(warm: Lab) -> None:
    """As `coverage run -m pytest` does."""
    warm.write("runs.py", "import runpy, sys\nrunpy.run_module('pytest', run_name='__main__', alter_sys=True)\n")
    found = run(warm, [sys.executable, "-m", "runs", "-n2"])
    assert (found.code, found.note) == (0, ""), found.output
    assert "1 passed" in found.output and not has_server(warm)


def test_a_test_that_runs_pytest(warm: Lab) -> None:
    warm.write(
        "test_it.py",
        "import os, subprocess, sys\n"
        "def test_it():\n"
        "    if 'INNER' not in os.environ:\n"
        "        command = [sys.executable, '-m', 'pytest', '-n2']\n"
        "        done = subprocess.run(command, env={**os.environ, 'INNER': '1'}, stdout=subprocess.PIPE, text=True)\n"
        "        assert done.returncode == 0 and 'warm:' not in done.stdout, done.stdout\n",
    )
    found = run(warm, script(warm), *_ALWAYS)
    assert (found.code, found.note) == (0, "warm: none yet (the first run)"), found.output
    assert len([line for line in warm.settle().splitlines() if line.startswith("collected")]) == 1


def test_a_test_session_within_this_process(warm: Lab) -> None:
    """The plugin is first imported in the middle of a run of another one."""
    warm.write(
        "test_it.py",
        "import os, sys, pytest\n"
        "def test_it(monkeypatch):\n"
        "    if not hasattr(sys, 'inner'):\n"
        "        sys.inner = True\n"
        "        code = pytest.main(sys.argv[1:3])\n"
        "        assert 'outpace.handover' in sys.modules and code == 0\n",
    )
    found = run(warm, _MODULE, "-p", "no:cacheprovider", "-p", "no:outpace", "-rA")
    assert (found.code, found.note) == (0, ""), found.output
    assert not has_server(warm)


_EARLY = {
    "there are threads before conftests are imported": "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
    "a child process is alive: sleep": "import subprocess, time\nKEPT = subprocess.Popen(['sleep', '3'])\n",
    "a temporary folder is removed at the end": "import tempfile\nKEPT = tempfile.TemporaryDirectory()\n",
    "this process is traced": "import sys\nsys.settrace(lambda *_: None)\n",
    "sys.path was changed": "import os, sys\nsys.path.remove(os.getcwd())\n",
}


@pytest.mark.parametrize("why", _EARLY)
def test_what_this_process_would_lose(warm: Lab, why: str) -> None:
    warm.write("early.py", _EARLY[why])
    found = run(warm, _MODULE, "-p", "early", *_ALWAYS)
    assert found.code == 0 and found.note.startswith(f"not warm: {why}"), found.output
    assert not has_server(warm)


@pytest.mark.parametrize(
    ("flags", "args", "why"),
    [
        (["-i"], [], "Python becomes interactive at its end"),
        (["-B", "-v"], [], "Python was started with -B -v"),
        ([], ["--pdb"], "--pdb needs the terminal"),
        ([], ["-s"], "its output is shown as it comes"),
    ],
)
def test_what_the_server_need_not_be_asked(warm: Lab, flags: list[str], args: list[str], why: str) -> None:
    found = run(warm, [sys.executable, *flags, "-m", "pytest"], *_ALWAYS, *args)
    assert found.note == f"not warm: {why}", found.output
    assert "1 passed" in found.output and not has_server(warm)


def test_what_earlier_plugins_have_set_is_not_handed_over(warm: Lab) -> None:
    """They set it again, and only where they are asked."""
    warm.write("early.py", "import os\nassert 'EARLY' not in os.environ\nos.environ['EARLY'] = '1'\n")
    warm.write("test_it.py", "import os\ndef test_it():\n    assert os.environ['EARLY'] == '1'\n")
    found = run(warm, _MODULE, "-p", "early", *_ALWAYS)
    assert (found.code, found.note) == (0, "warm: none yet (the first run)"), found.output


def test_without_the_server_the_run_goes_on(warm: Lab) -> None:
    warm.write("sees.py", _SEES)
    warm.write("conftest.py", _CONFTEST)
    warm.write("test_it.py", _TEST)
    warm.write("pyproject.toml", _COLD)
    program = [sys.executable, "-Xdev", "-m", "pytest"]
    cold = run(warm, program, *_ALWAYS, "-rA")
    (warm.runtime / "outpace").mkdir(mode=0o755)
    warm.write("pyproject.toml", _WARM)
    found = run(warm, program, *_ALWAYS, "-rA")
    assert found.note.startswith("not warm: ") and "0700" in found.note
    assert found.told() == cold.told()
    shutil.rmtree(warm.runtime / "outpace")


def test_a_session_within_a_test_says_nothing_of_it(warm: Lab) -> None:
    warm.write(
        "test_it.py",
        "import pytest\n"
        "def test_inner(): pass\n"
        "def test_it():\n"
        "    assert pytest.main(['-k', 'inner', '-p', 'no:cacheprovider', __file__]) == 0\n",
    )
    found = run(warm, _MODULE, *_ALWAYS, "-s")
    assert found.code == 0 and found.output.count("test session starts") == 2, found.output
    assert found.output.count("not warm: ") == 1, found.output


def test_without_the_binary_it_is_said_as_ever(warm: Lab) -> None:
    warm.env["OUTPACE_BINARY"] = "/nowhere"
    found = run(warm, script(warm), *_ALWAYS)
    assert found.code == 4 and "/nowhere is not an executable file" in found.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 2)])
def test_signals_reach_the_run(warm: Lab, number: int, code: int) -> None:
    warm.write(
        "test_it.py",
        "import os, pathlib, time\n"
        "def test_it():\n"
        "    pathlib.Path('../on').write_text(str(os.getpid()))\n"
        "    time.sleep(30)\n",
    )
    process = start(warm, script(warm), *_ALWAYS)
    worker = worker_of(warm.folder)
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == code and "KeyboardInterrupt" in output and "warm: none yet" in output, output
    worker.wait(timeout=PATIENCE)


def test_the_terminal_is_the_callers(warm: Lab) -> None:
    warm.env["TERM"] = "xterm"
    command = [*script(warm), *_ALWAYS]
    for note in ("warm: none yet", "warm: collected"):
        child = pexpect.spawn(
            command[0], command[1:], cwd=str(warm.folder), env=warm.env, dimensions=(30, 99), timeout=60
        )
        child.expect(pexpect.EOF)
        child.close()
        output = child.before.decode()
        assert child.exitstatus == 0 and note in output and "\x1b[32m" in output, output
        assert "=" * 35 + " test session starts " in output
        warm.settle()


def test_a_file_of_arguments_is_left_to_pytest(warm: Lab) -> None:
    if tuple(map(int, pytest.__version__.split(".")[:2])) < (8, 2):
        pytest.skip("pytest reads no such files")
    warm.write("arguments", "-n\n2\n")
    found = run(warm, script(warm), "@arguments")
    assert (found.code, found.note) == (0, "") and "2 workers" in found.output, found.output


def test_the_environment_is_the_callers_to_the_byte(warm: Lab) -> None:
    warm.write(
        "test_it.py",
        "import os\n"
        "def test_it():\n"
        "    assert os.environb[b'ODD'] == bytes([255, 61, 10]) and os.environb[b'EMPTY'] == b''\n",
    )
    env = {**{os.fsencode(k): os.fsencode(v) for k, v in warm.env.items()}, b"ODD": b"\xff=\n", b"EMPTY": b""}
    for note in ("warm: none yet (the first run)", "warm: collected"):
        found = run(warm, script(warm), *_ALWAYS, env=env)
        assert (found.code, found.note) == (0, note), found.output
        warm.settle()


def test_a_project_that_is_not_warm_pays_for_one_look(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    code = (
        "import sys, outpace.entry; before = set(sys.modules)\n"
        "from outpace import handover; handover.consider()\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "['outpace.handover']\n"
