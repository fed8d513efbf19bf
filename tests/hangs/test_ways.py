"""Each way to hang by itself: named with phase and line, one record, nothing else touched, nothing left."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from faults.arena import Arena

from .ways import IMPORTS, WAYS, line_of

QUICKLY = ("--test-timeout=1", "--timeout-grace=1")


@pytest.mark.parametrize("name", WAYS)
def test_named_and_ended(arena: Arena, name: str) -> None:
    way = WAYS[name]
    source = f"{IMPORTS}def test_before(): pass\n{way.text(name)}def test_after(): pass\n"
    arena.write("test_a.py", source)
    run = arena.run("-n2", "--start-method=fork", "--junitxml=../junit.xml", *QUICKLY)
    nodeid = f"test_a.py::Test{name}::test_{name}" if name == "unittest" else f"test_a.py::test_{name}"
    assert run.code == 1, run.output
    run.assert_accounted(["test_a.py::test_before", nodeid, "test_a.py::test_after"])
    failed = [report for report in run.reports if report["outcome"] == "failed"]
    assert [report["nodeid"] for report in failed] == [nodeid], run.output
    (report,) = failed
    assert report["when"] == ("???" if way.killed else way.phase)
    text = report["longrepr"]
    assert f"Timeout: the test took longer than 1 s ({way.phase})" in text
    line = line_of(source)
    if name == "blocked":
        assert "no stack: the process blocks the signal" in text
    else:
        assert f'File "test_a.py", line {line}, in ' in text, text
        assert source.splitlines()[line - 1].split("  #")[0].strip() in text
    assert "main thread: " in text
    if name == "subprocess":
        assert "child process" in text and "sleep 600" in text
    junit = ElementTree.parse(arena.folder.parent / "junit.xml").getroot()
    told = [element.text or "" for element in junit.iter() if element.tag in ("failure", "error")]
    assert len(told) == 1 and ("no stack" in told[0] or f"line {line}, in " in told[0])
    assert ("replacing hung worker" in run.output) == way.killed
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_session_fixture_teardown(arena: Arena, method: str) -> None:
    """It belongs to the last test that a worker runs; further finalizers run, the session ends as ever."""
    source = """
        import time, pytest
        @pytest.fixture(scope="session", autouse=True)
        def outer():
            yield
            open("outer", "w").close()
        @pytest.fixture(scope="session", autouse=True)
        def inner(outer):
            yield
            time.sleep(600)  # hangs here
        def test_a(): pass
    """
    path = arena.write("test_a.py", source)
    run = arena.run("-n1", f"--start-method={method}", *QUICKLY)
    assert run.code == 1
    (failed,) = [report for report in run.reports if report["outcome"] == "failed"]
    assert failed["when"] == "teardown" and "(teardown)" in failed["longrepr"]
    assert f'File "test_a.py", line {line_of(path.read_text())}, in inner' in failed["longrepr"]
    assert (arena.folder / "outer").exists()
    run.assert_clean()


def test_fixtures_are_torn_down_after_the_interruption(arena: Arena) -> None:
    arena.write(
        "test_a.py",
        """
        import time, pytest
        @pytest.fixture
        def resource():
            yield
            open("released", "w").close()
        def test_a(resource): time.sleep(600)
        def test_b(): pass
        """,
    )
    run = arena.run("-n1", *QUICKLY)
    assert (arena.folder / "released").exists()
    assert sorted(report["outcome"] for report in run.reports if report["when"] == "call") == ["failed", "passed"]
    assert "hung worker" not in run.output


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_import_of_a_file(arena: Arena, method: str) -> None:
    """It fails as any error of the collection does."""
    source = "import time\ntime.sleep(600)  # hangs here\ndef test_a(): pass\n"
    arena.write("test_a.py", source)
    arena.write("test_b.py", "def test_b(): pass\n")
    args = ("-n2", f"--start-method={method}", "--slow-timeout=1", "--continue-on-collection-errors")
    run = arena.run(*args, *QUICKLY)
    assert run.code == 1, run.output
    run.assert_says("ERROR collecting test_a.py", "Timeout: collecting took longer than 1 s", "test_a.py:2: in <")
    # Spawned workers collect for themselves, each with an error and stacks of its own.
    assert run.output.count("outpace: stacks at the timeout") == run.output.count("ERROR collecting test_a.py")
    run.assert_says('File "test_a.py", line 2, in <module>', "sleeping, in system call")
    assert run.completed == {"test_b.py::test_b": 1}
    run.assert_clean()


def test_start_of_the_collecting_process(arena: Arena) -> None:
    """Nothing can be interrupted there and nothing can run without it."""
    arena.write(
        "conftest.py",
        """
        import time
        def pytest_sessionstart(session):
            if hasattr(session.config, "workerinput"): time.sleep(600)  # hangs here
        """,
    )
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("-n2", "--slow-timeout=1", *QUICKLY)
    assert run.code == 3, run.output
    run.assert_says("the process that collects the tests hung while starting", 'File "conftest.py", line 3')
    run.assert_clean()


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize(
    ("hook", "doing"),
    [
        (
            "def pytest_sessionfinish(session):\n    if hasattr(session.config, 'workerinput'): wait()",
            "finishing its session",
        ),
        ("import threading\ndef pytest_runtest_call(): threading.Thread(target=wait).start()", "exiting"),
    ],
    ids=["sessionfinish", "thread"],
)
def test_after_the_last_test(arena: Arena, method: str, hook: str, doing: str) -> None:
    """No test is to blame; the process is named with its line, and the run does not end well."""
    source = f"import time\ndef wait():\n    time.sleep(600)  # hangs here\n{hook}\n"
    arena.write("conftest.py", source)
    arena.write("test_a.py", "def test_a(): pass\n")
    run = arena.run("-n1", f"--start-method={method}", "--slow-timeout=1", *QUICKLY)
    assert run.code == 1, run.output
    assert run.completed == {"test_a.py::test_a": 1}
    assert {report["outcome"] for report in run.reports} == {"passed"}
    run.assert_says(f"worker 'gw0' hung while {doing} for ", "at conftest.py:3 in wait")
    run.assert_clean()
