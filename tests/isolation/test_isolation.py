"""``--isolate-each`` and ``@pytest.mark.own_process``: what a test leaves behind reaches no other."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import Project

# Each test leaves its mark everywhere and fails where it finds another's.
LEAKS = """
    import os, sys, tempfile, warnings
    import pytest

    STATE = []

    def leave_and_look(name):
        assert STATE == []
        assert "LEAKED" not in os.environ
        assert not hasattr(sys, "leaked")
        assert os.path.basename(os.getcwd()) == "project"
        STATE.append(name)
        os.environ["LEAKED"] = name
        sys.leaked = name
        os.chdir("/")

    @pytest.fixture(scope="session")
    def session_fixture():
        with open(os.path.join(ROOT, "session.txt"), "a") as file:
            file.write("up\\n")
        yield os.getpid()
        with open(os.path.join(ROOT, "session.txt"), "a") as file:
            file.write("down\\n")

    ROOT = os.getcwd()
"""
ALL = (
    LEAKS
    + """
    @pytest.mark.parametrize("number", range(12))
    def test_leaks(number, session_fixture):
        leave_and_look(str(number))
        assert session_fixture == os.getpid()
"""
)
SOME = (
    LEAKS
    + """
    @pytest.mark.own_process
    @pytest.mark.parametrize("number", range(6))
    def test_alone(number):
        leave_and_look(f"alone {number}")

    SHARED = []

    @pytest.mark.parametrize("number", range(6))
    def test_shared(number, session_fixture):
        assert STATE == [] and "LEAKED" not in os.environ
        SHARED.append(number)

    class TestMixed:
        @pytest.mark.own_process
        def test_one(self):
            assert not SHARED
            leave_and_look("mixed")
        def test_two(self):
            SHARED.append("x")
        @pytest.mark.own_process
        def test_three(self):
            assert not SHARED
            leave_and_look("mixed")
"""
)


def test_nothing_reaches_another_test(project: Project, method: str, mode: str) -> None:
    project.files(test_a=ALL)
    run = project.run("-n2", "--isolate-each", method, mode)
    times = 2 if mode.endswith("each") else 1
    assert run.ret == 0, run.out
    assert run.counts == {"passed": 12 * times}
    fixtures = (project.path / "session.txt").read_text().split()
    assert fixtures.count("up") == fixtures.count("down") == 12 * times, "once for each test"


def test_it_can_fail(project: Project) -> None:
    """The same tests without it."""
    project.files(test_a=ALL)
    assert project.run("-n2").counts["failed"] >= 9


@pytest.mark.parametrize("workers", ["-n1", "-n2"])
def test_only_marked_tests(project: Project, method: str, workers: str) -> None:
    project.files(test_a=SOME, test_b=SOME)
    run = project.run(workers, method, "--strict-markers", record=True)
    assert run.ret == 0, run.out
    assert run.counts == {"passed": 30}
    assert len({report["nodeid"] for report in run.recorded["reports"]}) == 30


def test_many_short_ones_in_turns(project: Project) -> None:
    """Tests are granted in batches: what is granted and not begun goes from process to process."""
    project.files(
        test_a="""
        import pytest
        def pytest_generate_tests(metafunc): pass
        @pytest.mark.parametrize("number", [
            pytest.param(n, marks=pytest.mark.own_process) if n % 40 == 7 else n for n in range(400)
        ])
        def test_turns(number):
            with open("ran.txt", "a") as file:
                file.write(f"{number}\\n")
    """
    )
    run = project.run("-n2", "--dist=load")
    assert run.counts == {"passed": 400}
    ran = (project.path / "ran.txt").read_text().split()
    assert sorted(map(int, ran)) == list(range(400))


def test_by_override(project: Project) -> None:
    project.files(test_a=ALL)
    project.write("pyproject.toml", '[[tool.outpace.overrides]]\nfilter = "test(*test_leaks*)"\nown_process = true\n')
    assert project.run("-n2").counts == {"passed": 12}
    project.write("pyproject.toml", '[[tool.outpace.overrides]]\nfilter = "test(*test_leaks*)"\nown_process = "yes"\n')
    run = project.run("-n2")
    assert run.ret == 4
    assert "pyproject.toml:3: `own_process` must be true or false" in run.err


def test_by_setting(project: Project) -> None:
    project.files(test_a=ALL).ini("outpace_isolate_each = true")
    assert project.run("-n2").counts == {"passed": 12}


def test_serial_runs_ignore_it(project: Project) -> None:
    project.files(test_a="import pytest\n@pytest.mark.own_process\ndef test_a(): pass\n")
    assert project.run("--isolate-each", "--strict-markers").counts == {"passed": 1}


def test_one_worker_is_one_worker(project: Project, method: str) -> None:
    """To plugins of the controller, and to fixtures."""
    project.files(
        conftest="""
        def note(text):
            with open("hooks.txt", "a") as file:
                file.write(text + "\\n")
        def pytest_testnodeready(node): note(f"ready {node.gateway.id}")
        def pytest_testnodedown(node, error): note(f"down {node.gateway.id} {error} {node.workeroutput['exitstatus']}")
    """,
        test_a="""
        import os, pytest
        @pytest.mark.parametrize("number", range(10))
        def test_id(number, worker_id):
            assert worker_id == os.environ["PYTEST_XDIST_WORKER"] in ("gw0", "gw1")
            assert number != 3
    """,
    )
    run = project.run("-n2", "--isolate-each", method)
    assert run.counts == {"passed": 9, "failed": 1}
    run.no_match("*replacing*")
    hooks = (project.path / "hooks.txt").read_text().splitlines()
    assert sorted(line.rsplit(" ", 1)[0] for line in hooks) == [
        "down gw0 None",
        "down gw1 None",
        "ready",
        "ready",
    ]


def test_what_plugins_say_at_the_end_of_each_session(project: Project) -> None:
    """Told by the same hook, once for all that say the same."""
    project.files(
        conftest="""
        import pytest
        RAN = []
        @pytest.hookimpl(optionalhook=True)
        def pytest_testnodedown(node, error):
            with open("told.txt", "a") as file:
                file.write(" ".join(map(str, node.workeroutput["ran"])) + "\\n")
        def pytest_runtest_logreport(report):
            if report.when == "call":
                RAN.append(report.nodeid[-2] if report.nodeid[-2] in "012" else "x")
        def pytest_sessionfinish(session):
            if hasattr(session.config, "workeroutput"):
                session.config.workeroutput["ran"] = RAN
    """,
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(10))
        def test_a(number): pass
    """,
    )
    run = project.run("-n1", "--isolate-each")
    assert run.counts == {"passed": 10}
    told = (project.path / "told.txt").read_text().splitlines()
    assert told == ["0", "1", "2", "x", ""], "the last is what the worker itself says"


def test_an_interrupt(project: Project) -> None:
    """Ctrl-C while a test runs in a fork: it is torn down, nothing is left, the run says what had not run."""
    project.files(
        test_a="""
        import os, pathlib, time, pytest
        @pytest.fixture
        def torn_down():
            yield
            pathlib.Path("torn").touch()
        def test_a(torn_down):
            pathlib.Path("pid").write_text(str(os.getpid()))
            time.sleep(1000)
        def test_b(): pass
    """
    )
    command = [sys.executable, "-m", "pytest", "-n1", "--isolate-each"]
    with subprocess.Popen(command, cwd=project.path, stdout=subprocess.PIPE, text=True) as process:
        pid = project.path / "pid"
        for _ in range(3000):
            if pid.exists() and pid.read_text():
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "1 of 2 tests were not run" in out or "0 of 2 tests had run" in out, out
    assert (project.path / "torn").exists()
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_crash(project: Project, method: str) -> None:
    project.files(
        test_a="""
        import os, pytest
        @pytest.mark.parametrize("number", range(8))
        def test_crash(number):
            if number == 2: os.kill(os.getpid(), 11)
            if number == 5: os._exit(7)
    """
    )
    run = project.run("-n2", "--isolate-each", method)
    assert run.ret == 1
    assert run.counts == {"failed": 2, "passed": 6}
    run.match("*signal 11 (SIGSEGV)*")
    run.match("*exit code 7*")


def test_a_crash_at_the_end_of_a_process(project: Project) -> None:
    project.files(
        test_a="""
        import atexit, os
        def test_a(): atexit.register(os._exit, 9)
        def test_b(): pass
    """
    )
    run = project.run("-n1", "--isolate-each")
    assert run.ret == 1
    run.match("*crashed while its session ended: exit code 9*")
    assert run.counts == {"passed": 2}


def test_hangs_are_named_and_ended(project: Project) -> None:
    project.files(
        test_a="""
        import signal, time, pytest
        def test_sleeps():
            time.sleep(1000)
        def test_does_not_listen():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(61, signal.SIG_IGN)
            while True:
                time.sleep(1000)
        @pytest.mark.parametrize("number", range(4))
        def test_fine(number): pass
    """
    )
    run = project.run("-n2", "--isolate-each", "--test-timeout=1", "--timeout-grace=1")
    assert run.ret == 1
    assert run.counts == {"failed": 2, "passed": 4}
    run.match("*Timeout: the test took longer than 1 s (call)*")
    run.match("*test_a.py:8 in test_does_not_listen*")


def test_slow_ones_are_named(project: Project) -> None:
    project.files(test_a="import time\ndef test_slow():\n    time.sleep(2)\n")
    project.run("-n1", "--isolate-each", "--slow-timeout=0.5").match("*test_a.py::test_slow has been in call for*")


def test_first_failure_ends_the_run(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(50))
        def test_x(number): assert number != 1
    """
    )
    run = project.run("-n1", "--isolate-each", "-x")
    assert run.ret == 2
    assert run.counts == {"failed": 1, "passed": 1}


def test_retry(project: Project) -> None:
    project.files(
        test_a="""
        import pathlib
        def test_second_time():
            seen = pathlib.Path("seen")
            if not seen.exists():
                seen.touch()
                assert False
        def test_other(): pass
    """
    )
    run = project.run("-n2", "--isolate-each", "--retry-alone")
    run.match("*1 test fails only in parallel*")


def test_serial_and_resources(project: Project) -> None:
    project.files(
        test_a="""
        import os, time, pytest
        @pytest.mark.serial
        @pytest.mark.parametrize("number", range(3))
        def test_serial(number): span("serial")
        @pytest.mark.resource("GPU")
        @pytest.mark.parametrize("number", range(4))
        def test_gpu(number):
            span("gpu " + os.environ["GPU"])
        def span(name):
            begin = time.monotonic()
            time.sleep(0.05)
            with open("spans.txt", "a") as file:
                file.write(f"{begin} {time.monotonic()} {name}\\n")
    """
    )
    project.write("pyproject.toml", '[tool.outpace.resources]\nGPU = ["first", "second"]\n')
    run = project.run("-n2", "--isolate-each")
    assert run.counts == {"passed": 7}
    spans = sorted(
        (float(a), float(b), name)
        for a, b, name in (line.split(" ", 2) for line in (project.path / "spans.txt").read_text().splitlines())
    )
    for (_, end, name), (begin, _, other) in zip(spans, spans[1:]):
        if "serial" in (name, other) or name == other:
            assert end <= begin, spans


def test_how_tests_end_the_run(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        def test_a(): pass
        def test_b(): pytest.exit("enough", 9)
        def test_c(): pass
    """
    )
    assert project.run("-n1", "--isolate-each").ret == 9
    project.files(test_a="def test_a(): pass\ndef test_b(): raise KeyboardInterrupt\ndef test_c(): pass\n")
    assert project.run("-n1", "--isolate-each").ret == 2


def test_an_internal_error(project: Project) -> None:
    project.files(
        conftest="def pytest_runtest_protocol(item):\n    if item.name == 'test_b': raise ValueError('broken')\n",
        test_a="def test_a(): pass\ndef test_b(): pass\ndef test_c(): pass\n",
    )
    run = project.run("-n1", "--isolate-each")
    assert run.ret == 3
    assert "ValueError: broken" in run.out + run.err


def test_what_a_test_leaves_running_ends_with_it(project: Project) -> None:
    project.files(
        test_a="""
        import os, pathlib, subprocess, time
        def test_a():
            pid = subprocess.Popen(["sleep", "1000"]).pid
            pathlib.Path("pid").write_text(str(pid))
        def test_b():
            pid = pathlib.Path("pid").read_text()
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2]
            except OSError:
                return
            assert state == "Z"
    """
    )
    assert project.run("-n1", "--isolate-each").counts == {"passed": 2}


def test_temporary_folders_stay(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(5))
        def test_x(number, tmp_path, tmp_path_factory):
            (tmp_path / "kept").touch()
            tmp_path_factory.mktemp("data")
    """
    )
    base = project.path.parent / "base"
    assert project.run("-n2", "--isolate-each", f"--basetemp={base}").counts == {"passed": 5}
    assert len({path.resolve() for path in base.glob("popen-gw*/test_x*/kept")}) == 5
    assert len({path.resolve() for path in base.glob("popen-gw*/data*")}) == 5


def test_live_output(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(6))
        def test_x(number):
            print("said", number)
            assert number != 4
    """
    )
    run = project.run("-n2", "--isolate-each", "-s")
    for number in range(6):
        assert sum(line.endswith(f" test_x[{number}]] said {number}") for line in run.lines) == 1
    run = project.run("-n2", "--isolate-each", "--follow=gw0,gw1", record=True)
    for number in range(6):
        assert sum(line.endswith(f" test_x[{number}]] said {number}") for line in run.lines) == 1
    sections = [r["sections"] for r in run.recorded["reports"] if r["when"] == "call" and r.get("sections")]
    assert sorted(text for each in sections for _, text in each) == [f"said {number}\n" for number in range(6)]


def test_captured_output_is_the_tests_own(project: Project) -> None:
    project.files(
        test_a="""
        import pytest
        @pytest.mark.parametrize("number", range(6))
        def test_x(number):
            print("said", number)
            assert False
    """
    )
    run = project.run("-n2", "--isolate-each", record=True)
    for report in run.recorded["reports"]:
        if report["when"] == "call":
            assert [text for _, text in report["sections"]] == [f"said {report['nodeid'][-2]}\n"]


THREAD = """
    import threading, pytest
    threading.Thread(target=threading.Event().wait, daemon=True, name="pump").start()
    def test_a(): pass
    @pytest.mark.own_process
    def test_b(): pass
"""


@pytest.mark.parametrize(("option", "name"), [("--isolate-each", "--isolate-each"), ("-q", "@pytest.mark.own_process")])
def test_what_cannot_be_forked(project: Project, method: str, option: str, name: str) -> None:
    project.files(test_a=THREAD)
    if method.endswith("fork"):
        assert project.run("-n2", option, method).counts == {"passed": 2}
        return
    for each in (method, "--start-method=auto"):
        run = project.run("-n2", option, each)
        assert run.ret == 4
        assert f"{name} needs a process that may be forked once the tests are collected: a thread is" in run.err


def test_an_id_that_was_read_before(project: Project) -> None:
    """It makes workers be spawned; their forks keep the id."""
    project.files(
        conftest="import os\nID = os.environ.get('PYTEST_XDIST_WORKER')\n",
        test_a="""
        import conftest, pytest
        STATE = []
        @pytest.mark.parametrize("number", range(6))
        def test_a(number, worker_id):
            assert conftest.ID == worker_id and not STATE
            STATE.append(number)
    """,
    )
    run = project.run("-n2", "--isolate-each")
    run.match("*workers are spawned*")
    assert run.counts == {"passed": 6}


def test_first_captured_output(project: Project) -> None:
    """What was written before the tests is not in every report."""
    project.files(
        test_a="""
        import os, atexit, pytest
        @pytest.mark.parametrize("number", range(4))
        def test_x(number): assert False
    """,
        conftest="""
        import os, pytest
        @pytest.hookimpl(trylast=True)
        def pytest_collection_finish(session): os.write(1, b"")
    """,
    )
    run = project.run("-n1", "--isolate-each", record=True)
    assert all(not report.get("sections") for report in run.recorded["reports"])


def test_elastic(project: Project) -> None:
    project.files(
        test_a="""
        import time, pytest
        STATE = []
        @pytest.mark.parametrize("number", range(16))
        def test_wait(number):
            time.sleep(0.4)
            assert not STATE
            STATE.append(1)
    """
    )
    began = time.monotonic()
    run = project.run("-n", "auto", "--isolate-each")
    assert run.counts == {"passed": 16}
    assert time.monotonic() > began
