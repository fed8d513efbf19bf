"""What pytest itself keeps: each repair is there, and is needed; what needs none is shown to need none."""

from __future__ import annotations

import re

import pytest
from conftest import Outcome, Project

PYTEST = tuple(map(int, pytest.__version__.split(".")[:2]))


def test_workerinput_is_the_workers_in_the_same_object(project: Project) -> None:
    project.write("conftest.py", "def pytest_configure(config): config.held = config.workerinput\n")
    project.write(
        "test_it.py",
        """
        import pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, record_property, pytestconfig):
            record_property("input", [pytestconfig.workerinput["workerid"], pytestconfig.held["workerid"]])
        """,
    )
    project.needs("workerinput", lambda outcome: outcome.said("input") == [["gw0", "gw0"], ["gw1", "gw1"]])


def test_workeroutput_of_the_template_is_each_workers_own_copy(project: Project) -> None:
    """Nothing to repair: what a plugin put there in configure is in each fork, and later changes stay apart."""
    project.write(
        "conftest.py",
        """
        import os
        def pytest_configure(config): config.workeroutput["metadata"] = {"platform": "x"}
        def pytest_sessionfinish(session):
            config = session.config
            config.workeroutput["metadata"]["worker"] = config.workerinput["workerid"]
        """,
    )
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(2))\ndef test_it(n): pass\n")
    outputs = [worker.one("workeroutput")["metadata"] for worker in project.run().workers]
    assert outputs == [repr({"platform": "x", "worker": name}) for name in ("gw0", "gw1")]


MEET = """
import logging, os, sys, time, pathlib, pytest
HANDLER = logging.StreamHandler()
MEETING = pathlib.Path(os.environ["MEETING"])

@pytest.mark.parametrize("n", range(2))
def test_it(n):
    print(f"printed by {n}")
    os.write(1, f"written by {n}\\n".encode())
    HANDLER.emit(logging.makeLogRecord({"msg": f"logged by {n}"}))
    (MEETING / str(n)).touch()
    deadline = time.monotonic() + 5
    while len(list(MEETING.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(MEETING.iterdir())) == 2
"""


def test_output_of_one_worker_is_not_in_the_report_of_another(project: Project) -> None:
    """Both tests write before either ends; through `sys`, the descriptor, and a handler made at import."""
    project.write("test_it.py", MEET)
    meeting = project.folder / "meeting"
    project.environ["MEETING"] = str(meeting)

    def right(outcome: Outcome) -> bool:
        for file in meeting.iterdir():
            file.unlink()
        wanted = [
            {"Captured stdout call": f"printed by {n}\nwritten by {n}\n", "Captured stderr call": f"logged by {n}\n"}
            for n in range(2)
        ]
        found = [next(iter(worker.calls.values()))["sections"] for worker in outcome.workers]
        return not outcome.failures and found == wanted

    meeting.mkdir()
    project.needs("capture", right)


def test_output_left_from_collection_is_reported_once(project: Project) -> None:
    """With the first test, as in a serial run. An empty new file would lose it; a shared one gives it to anybody."""
    project.write(
        "conftest.py",
        """
        import sys
        HELD = sys.stderr
        def pytest_collection_finish():
            HELD.write("left from collection\\n")
            HELD.flush()
        """,
    )
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): print(n)\n")

    sections = [call["sections"] for worker in project.run().workers for call in worker.calls.values()]
    left = [section.get("Captured stderr setup") for section in sections]
    assert left == ["left from collection\n", None, None, None]


@pytest.mark.parametrize("arguments", [("--capture=sys",), ("-s",), ("--capture=tee-sys",), ("-p", "no:logging")])
def test_other_ways_of_capture_need_no_repair(project: Project, arguments: tuple[str, ...]) -> None:
    project.write(
        "test_it.py",
        """
        import pytest
        @pytest.mark.parametrize("n", range(4))
        def test_it(n, capfd):
            print(n)
            assert capfd.readouterr().out == f"{n}\\n"
        """,
    )
    outcome = project.run(*arguments)
    assert [len(worker.calls) for worker in outcome.workers] == [2, 2]
    assert not outcome.failures


TMP = """
import pytest
@pytest.mark.parametrize("n", range(4))
def test_it(n, record_property, tmp_path, pytestconfig):
    (tmp_path / "file").write_text(str(n))
    record_property(f"tmp", [tmp_path.parent.name, tmp_path.parent.parent.name])
    record_property("option", pytestconfig.option.basetemp.rpartition("/")[2])
"""


@pytest.mark.parametrize("early", ["pass", "config._tmp_path_factory.mktemp('early')"], ids=["unused", "used-before"])
def test_each_worker_has_its_own_base_of_temporary_folders(project: Project, early: str) -> None:
    project.write("conftest.py", f"def pytest_sessionstart(session):\n    config = session.config\n    {early}\n")
    project.write("test_it.py", TMP)
    project.needs(
        "tmp_path",
        lambda outcome: (
            outcome.said("tmp") == [["popen-gw0", "base"], ["popen-gw1", "base"]]
            and outcome.said("option") == ["popen-gw0", "popen-gw1"]
        ),
    )


@pytest.mark.skipif(PYTEST < (8, 4), reason="exceptions are not queued before pytest 8.4")
def test_an_exception_that_nobody_could_catch_is_reported_once(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import threading
        class Broken:
            def __del__(self):
                raise ValueError("in a destructor")
        def fail():
            raise ValueError("in a thread")
        def pytest_collection_finish():
            Broken()
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()
        """,
    )
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n): pass\n")

    def right(outcome: Outcome) -> bool:
        text = "\n".join(text for worker in outcome.workers for text in worker.each("warning"))
        return sorted(re.findall(r"ValueError: (in a \w+)", text)) == ["in a destructor", "in a thread"]

    project.needs("unraisable", right)


@pytest.mark.parametrize("what", ["all", "failed"])
def test_workers_upload_no_paste(project: Project, what: str) -> None:
    project.write(
        "conftest.py",
        """
        import os
        import _pytest.pastebin
        def create_new_paste(contents):
            with open(os.environ["PASTES"], "a") as file:
                file.write("x")
            return "http://localhost/"
        _pytest.pastebin.create_new_paste = create_new_paste
        """,
    )
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(2))\ndef test_it(n): assert 0\n")
    pastes = project.folder / "pastes"
    pastes.touch()
    project.environ["PASTES"] = str(pastes)
    project.needs(
        "pastebin",
        lambda outcome: len(outcome.failures) == 2 and pastes.read_text() == "",
        f"--pastebin={what}",
    )


def test_a_log_file_gets_the_records_of_all_workers(project: Project) -> None:
    """Nothing to repair: the descriptor is shared, so records are appended."""
    project.write(
        "test_it.py",
        """
        import logging, pytest
        @pytest.mark.parametrize("n", range(20))
        def test_it(n, caplog):
            logging.getLogger("here").warning("record %s", n)
            assert caplog.messages == [f"record {n}"]
        """,
    )
    outcome = project.run("--log-file=all.log", "--log-cli-level=INFO")
    assert not outcome.failures
    found = sorted(map(int, re.findall(r"record (\d+)", (project.folder / "all.log").read_text())))
    assert found == list(range(20))


def test_faulthandler_works_in_a_worker(project: Project) -> None:
    """Nothing to repair: its descriptor is a copy of standard error, in each fork."""
    project.write(
        "test_it.py",
        """
        import time, pytest, os, signal
        def test_slow(): time.sleep(0.3)
        def test_crash(): os.kill(os.getpid(), signal.SIGSEGV)
        """,
    )
    outcome = project.run("-o", "faulthandler_timeout=0.1")
    assert "in test_slow" in outcome.stderr
    assert "in test_crash" in outcome.stderr
    assert [len(worker.calls) for worker in outcome.workers] == [1, 0]


def test_warnings_assertions_and_fixtures_work_in_a_worker(project: Project) -> None:
    """Nothing to repair: late imports are rewritten, filters hold, session fixtures live once per worker."""
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error::UserWarning\n")
    project.write(
        "late.py",
        """
        def check(value):
            __tracebackhide__ = False
            assert value == [1, 2]
        """,
    )
    project.write(
        "conftest.py",
        """
        import os, pytest
        pytest.register_assert_rewrite("late")
        @pytest.fixture(scope="session")
        def owner(): return os.getpid()
        """,
    )
    project.write(
        "test_it.py",
        """
        import os, warnings, pytest
        @pytest.mark.parametrize("n", range(4))
        def test_it(n, owner, doctest_namespace, monkeypatch):
            import late
            assert owner == os.getpid()
            with pytest.raises(AssertionError, match="At index 1 diff"):
                late.check([1, 3])
            with pytest.raises(UserWarning):
                warnings.warn("x")
        """,
    )
    outcome = project.run()
    assert not outcome.failures
    assert [len(worker.calls) for worker in outcome.workers] == [2, 2]
