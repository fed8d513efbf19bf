"""The processes of outpace itself are killed: the coordinator, the controller, the template."""

from __future__ import annotations

import os
import signal
import time

import pytest

from .arena import Arena, Running
from .test_stops import NOTES

SLEEPERS = """
    import pytest, subprocess, sys, time
    from notes import note

    def test_quick(): pass

    @pytest.mark.parametrize("i", range(6))
    def test_sleeps(i):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        note("asleep")
        time.sleep(60)
"""
COLLECTION = ["test_a.py::test_quick", *(f"test_a.py::test_sleeps[{i}]" for i in range(6))]
METHODS = pytest.mark.parametrize("method", ["fork", "spawn"])


def asleep(arena: Arena, method: str) -> Running:
    arena.write("notes.py", NOTES)
    arena.write("test_a.py", SLEEPERS)
    running = arena.start("-n2", f"--start-method={method}", "--junitxml=junit.xml")
    running.wait_for_lines("notes", 2)
    running.wait(lambda: "." in running.progress())
    time.sleep(0.5)  # the dot is there once the test has run, its end when the coordinator next looks
    return running


@METHODS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT], ids=["KILL", "ABRT"])
def test_coordinator_killed(arena: Arena, method: str, number: int) -> None:
    """The controller says so, writes its reports and does not end well; the workers and their children are gone."""
    running = asleep(arena, method)
    os.kill(running.coordinator(), number)
    run = running.end()
    assert run.code == 3, run.output
    run.assert_says(f"coordinator process ended (signal {int(number)});", "of 7 tests have no result")
    assert list(run.completed) == ["test_a.py::test_quick"]
    assert "INTERNALERROR" not in run.output and "Traceback" not in run.output, run.output
    assert (arena.folder / "junit.xml").exists()
    run.assert_clean()


@METHODS
def test_coordinator_asked_to_end(arena: Arena, method: str) -> None:
    """SIGTERM to the coordinator alone is an interrupt like any other."""
    running = asleep(arena, method)
    os.kill(running.coordinator(), signal.SIGTERM)
    run = running.end()
    assert run.code == 2, run.output
    assert not run.crashed and len(run.interrupted) == 2, run.output
    run.assert_says("the coordinator was told to end the run", "has been in call for", "tests were not run")
    run.assert_accounted(COLLECTION)
    run.assert_clean()


@METHODS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT], ids=["KILL", "HUP", "QUIT"])
def test_controller_killed(arena: Arena, method: str, number: int) -> None:
    """Nobody is left to report to: everything else ends, too, what the tests started included."""
    running = asleep(arena, method)
    running.signal(number)
    run = running.end()
    assert run.code == -number
    run.assert_clean()


@METHODS
def test_controller_killed_while_collecting(arena: Arena, method: str) -> None:
    arena.write("notes.py", NOTES)
    arena.write(
        "test_a.py", "import time\nfrom notes import note\nnote('importing')\ntime.sleep(60)\ndef test_a(): pass"
    )
    running = arena.start("-n2", f"--start-method={method}")
    running.wait_for_lines("notes")
    running.signal(signal.SIGKILL)
    running.end().assert_clean()


TINY = """
    import pytest
    @pytest.mark.parametrize("i", range(100))
    def test_a(i): pass
"""
MURDER = """
    import os, pytest, signal
    from notes import HERE, note
    def test_murder():
        if not (HERE / "notes").exists():
            note("done")
            os.kill(os.getppid(), signal.SIGKILL)
"""


def test_template_killed_by_a_test(arena: Arena, mode: str) -> None:
    """All forks die with it and none is to blame: their tests run again, in processes of their own."""
    arena.write("notes.py", NOTES)
    for name in ("one", "three"):
        arena.write(f"test_{name}.py", TINY)
    arena.write("test_two.py", MURDER)
    run = arena.run("-n2", "--start-method=fork", f"--dist={mode}", "test_one.py", "test_two.py", "test_three.py")
    collection = [
        "test_two.py::test_murder",
        *(f"test_{n}.py::test_a[{i}]" for n in ("one", "three") for i in range(100)),
    ]
    assert arena.lines("notes") == ["done"]
    assert run.code == 0, run.output
    assert not run.crashed and not run.interrupted and not run.not_run, run.output
    run.assert_accounted(collection, times=2 if mode == "each" else 1)
    run.assert_clean()


def test_template_killed_between_tests(arena: Arena) -> None:
    """Also when the workers are busy in tests that have to start again."""
    running = asleep(arena, "fork")
    os.kill(running.template(), signal.SIGKILL)
    running.wait_for_lines("notes", 4)
    running.ctrl_c()
    run = running.end()
    assert run.code == 2, run.output
    assert not run.crashed and len(run.interrupted) == 2, run.output
    run.assert_accounted(COLLECTION)
    run.assert_clean()


@METHODS
@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "os._exit(0)"])
def test_template_dies_while_collecting(arena: Arena, method: str, how: str) -> None:
    arena.write("test_a.py", "def test_a(): pass")
    arena.write("test_b.py", f"import os\n{how}\ndef test_b(): pass")
    run = arena.run("-n2", f"--start-method={method}")
    assert run.code == (3 if method == "fork" else run.code) != 0, run.output
    run.assert_says("test_b.py", "signal 9 (SIGKILL)" if "kill" in how else "exit code 0")
    assert run.output.count("replacing crashed worker") <= 8
    run.assert_clean()


@METHODS
def test_worker_dies_in_sessionfinish(arena: Arena, method: str) -> None:
    """After its last test nothing is lost but what plugins would have written: that does not end well, and says so."""
    arena.write(
        "conftest.py",
        """
        import os
        def pytest_sessionfinish(session):
            if os.environ.get("PYTEST_XDIST_WORKER") == "gw1": os.kill(os.getpid(), 9)
        """,
    )
    arena.write("test_a.py", "import pytest\n@pytest.mark.parametrize('i', range(20))\ndef test_a(i): pass")
    run = arena.run("-n2", f"--start-method={method}")
    run.assert_accounted([f"test_a.py::test_a[{i}]" for i in range(20)])
    run.assert_says("node down: Not properly terminated (signal 9 (SIGKILL))")
    run.assert_says("worker 'gw1' crashed while its session ended: signal 9 (SIGKILL)")
    assert run.code == 1, run.output
    run.assert_clean()


def test_controller_that_does_not_read(arena: Arena) -> None:
    """Workers wait for it: what they report does not pile up in the coordinator, and nothing is lost."""
    arena.write(
        "conftest.py",
        """
        import pathlib, time
        def pytest_runtest_logreport(report):
            session = getattr(pytest_runtest_logreport, "session", None)
            if session is None or pathlib.Path("memory").exists():
                return
            time.sleep(3)
            status = pathlib.Path(f"/proc/{session.coordinator.process.pid}/status").read_text()
            pathlib.Path("memory").write_text(status.split("VmHWM:")[1].split()[0])
        def pytest_sessionstart(session):
            pytest_runtest_logreport.session = session.config.pluginmanager.get_plugin("dsession")
        """,
    )
    arena.write(
        "test_a.py",
        """
        import pytest
        @pytest.mark.parametrize("i", range(100))
        def test_a(i):
            print("x" * 2_000_000)
            assert False
        """,
    )
    run = arena.run("-n2", "--tb=no", "-q", "--show-capture=no")
    assert run.code == 1
    run.assert_accounted([f"test_a.py::test_a[{i}]" for i in range(100)])
    assert int((arena.folder / "memory").read_text()) < 120_000
    run.assert_clean()
