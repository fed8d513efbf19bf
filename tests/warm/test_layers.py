"""Which layer a run uses, and what keeps a process from being one."""

from __future__ import annotations

import json

import pytest
from lab import Lab
from test_server import warm_up


def test_the_first_change_is_named(lab: Lab) -> None:
    lab.write("conftest.py", "A = 1\n")
    warm_up(lab)
    lab.write("conftest.py", "A = 2\n")
    assert lab.run().note == "warm: libraries (conftest.py changed)"
    lab.settle()
    lab.write("test_it.py", "import os\ndef test_that(): pass\n")
    assert lab.run().note == "warm: collected up to test_it.py (test_it.py changed)"
    lab.settle()
    lab.write("test_it.py", "def test_that(): pass\n")
    assert lab.run().note == "warm: configured (test_it.py changed)"


def test_other_arguments_and_variables_are_other_runs(lab: Lab) -> None:
    warm_up(lab)
    assert lab.run("-k", "it").note == "warm: none yet (other arguments)"
    lab.env["COLOUR"] = "1"
    assert lab.run("-k", "it").note == "warm: none yet (the variable COLOUR changed)"
    lab.env["SHLVL"] = "77"
    lab.settle()
    assert lab.run("-k", "it").note == "warm: collected"


def test_a_touched_file_is_the_same(lab: Lab) -> None:
    warm_up(lab)
    (lab.folder / "test_it.py").touch()
    assert lab.run().note == "warm: collected"


def test_fresh_is_cold_and_throws_away(lab: Lab) -> None:
    warm_up(lab)
    run = lab.run_with(["--warm", "--fresh"])
    assert run.note == "not warm: --fresh"
    assert lab.run().note == "warm: none yet (--fresh)"


def test_what_a_project_depends_on_without_reading_it(lab: Lab) -> None:
    lab.write("pyproject.toml", '[tool.outpace]\ndepends-on = ["models/*.bin"]\n')
    lab.write("models/one.bin", "1")
    warm_up(lab)
    lab.write("models/one.bin", "2")
    assert lab.run().note == "warm: none yet (models/one.bin changed)"
    lab.settle()
    lab.write("models/two.bin", "2")
    assert lab.run().note == "warm: none yet (models changed)"


def test_layers_grow_too_old(lab: Lab) -> None:
    lab.write("pyproject.toml", "[tool.outpace]\nwarm-age = 0.0001\n")
    warm_up(lab)
    assert lab.run().note == "warm: none yet (it had become too old)"


_CONFTESTS = {
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n",
    "a socket is open": "import socket\nKEPT = socket.create_server(('127.0.0.1', 0))\n",
    "a child process is alive": "import subprocess\nKEPT = subprocess.Popen(['sleep', '3'])\n",
    "a temporary folder is removed at the end": "import tempfile\nKEPT = tempfile.TemporaryDirectory()\n",
    "registers a function for the end": "import atexit\natexit.register(lambda: None)\n",
    "read PYTEST_XDIST_TESTRUNUID": "import os\nRUN = os.environ.get('PYTEST_XDIST_TESTRUNUID')\n",
}


@pytest.mark.parametrize("why", _CONFTESTS)
def test_what_runs_cannot_share(lab: Lab, why: str) -> None:
    lab.write("conftest.py", _CONFTESTS[why])
    runs = []
    for _ in range(2):
        runs.append(lab.run())
        lab.settle()
    assert [run.code for run in runs] == [0, 0], runs[0].output
    assert runs[1].note.startswith("not warm: ") and why.replace("a thread", "thread") in runs[1].note, runs[1].note
    lab.write("conftest.py", "")
    assert lab.run().note == "warm: libraries (conftest.py changed)"


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (["-s"], "its output is shown as it comes"),
        (["-n", "0"], "not a parallel run"),
        (["--pdb"], "--pdb needs the terminal"),
        (["--start-method=spawn"], "start method spawn"),
        (["--log-file=log"], "a log file is written"),
    ],
)
def test_runs_that_layers_cannot_serve(lab: Lab, args: list[str], why: str) -> None:
    run = lab.run(*args)
    assert (run.code, run.note) == (0, f"not warm: {why}"), run.output


def test_native_threads_are_their_librarys_to_care_for(lab: Lab) -> None:
    """As OpenBLAS starts them when numpy is imported."""
    lab.write(
        "conftest.py",
        "import ctypes\n"
        "lib, thread = ctypes.CDLL(None), ctypes.c_ulong()\n"
        "assert lib.pthread_create(ctypes.byref(thread), None, lib.pause, None) == 0\n",
    )
    warm_up(lab)
    run = lab.run()
    assert run.note == "warm: collected"
    assert "Warning" not in run.output


def test_what_plugins_give_workers_anew_is_collected_anew(lab: Lab) -> None:
    lab.write(
        "conftest.py",
        "import uuid\ndef pytest_configure_node(node):\n    node.workerinput['token'] = uuid.uuid4().hex\n",
    )
    lab.run()
    lab.settle()
    run = lab.run()
    assert run.code == 0
    assert 'collected anew: workerinput["token"] is another one in each run' in run.output, run.output


def test_errors_are_those_of_a_cold_run(lab: Lab) -> None:
    for text in ("raise ValueError('this')\n", "def test_it(): assert 1 == 2\n", ""):
        lab.write("test_it.py", text)
        cold = lab.run(warm=False)
        for _ in range(2):
            warm = lab.run()
            assert warm.told() == cold.told()
            assert warm.code
            lab.settle()
    lab.write("conftest.py", "raise ValueError('that')\n")
    run = lab.run()
    assert run.code == 4 and "ValueError: that" in run.output
    assert lab.run("--no-such-option").code == 4


def test_collected_warnings_and_prints_are_told_in_each_run(lab: Lab) -> None:
    lab.write("conftest.py", "import sys, warnings\nprint('said')\nwarnings.warn('beware')\n")
    lab.write("test_it.py", "import warnings\nwarnings.warn('careful')\ndef test_it(): pass\n")
    cold = lab.run(warm=False)
    assert "careful" in cold.output and "beware" in cold.output
    for _ in range(3):
        assert lab.run().told() == cold.told()
        lab.settle()


def test_last_failed_is_the_caches_word(lab: Lab) -> None:
    lab.write("test_it.py", "import os\ndef test_one(): assert os.path.exists('good')\ndef test_two(): pass\n")
    lab.run("--lf")
    lab.settle()
    second = lab.run("--lf")
    assert "1 failed" in second.output and "passed" not in second.output.splitlines()[-1]
    lab.write("good", "")
    lab.run("--lf")
    lab.settle()
    assert "2 passed" in lab.run("--lf").output


def test_the_input_of_workers_is_the_runs(lab: Lab) -> None:
    """Ids, temporary folders and caches are new in each run."""
    lab.write(
        "test_it.py",
        "import json, os, pathlib\n"
        "def test_it(tmp_path, testrun_uid, worker_id, request):\n"
        "    ours = os.environ['PYTEST_XDIST_TESTRUNUID'] == testrun_uid == request.config.workerinput['testrunuid']\n"
        "    line = json.dumps([testrun_uid, str(tmp_path), ours, os.getpid()])\n"
        "    pathlib.Path('seen').open('a').write(line + '\\n')\n",
    )
    lab.write("seen", "")
    warm_up(lab)
    for _ in range(2):
        assert lab.run().note == "warm: collected"
    seen = [json.loads(line) for line in (lab.folder / "seen").read_text().splitlines()]
    assert len(seen) == 3 and all(each[2] for each in seen)
    for column in (0, 1, 3):
        assert len({each[column] for each in seen}) == 3, seen
