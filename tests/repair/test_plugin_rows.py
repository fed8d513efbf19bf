"""Plugins that hold a process id, a connection or a measurement: each repair is there, and is needed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Outcome, Project


def test_a_measuring_plugin_takes_the_worker_for_its_own_process(project: Project) -> None:
    """What pytest-cov <= 6 does, in small: it starts a second measurement where the pid is not the one it knows."""
    project.write(
        "conftest.py",
        """
        import os
        class Cov:
            def __init__(self):
                self.pid = os.getpid()
                self.started = 0
            def pytest_runtest_setup(self, item):
                self.started += os.getpid() != self.pid
        def pytest_configure(config):
            config.pluginmanager.register(Cov(), "_cov")
        """,
    )
    project.write(
        "test_it.py",
        """
        import pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, record_property, pytestconfig):
            record_property("started", pytestconfig.pluginmanager.getplugin("_cov").started)
        """,
    )
    project.needs("pytest_cov", lambda outcome: outcome.said("started") == [0, 0])


COVERED = """
def function(n):
    if n == 0:
        return "first"
    return "second"
"""


def executed(folder: Path, pattern: str) -> set[int]:
    """The lines of covered.py in all data files, which are removed."""
    lines: set[int] = set()
    for file in folder.glob(pattern):
        data = pytest.importorskip("coverage").CoverageData(str(file))
        data.read()
        lines.update(data.lines(str(folder / "covered.py")) or ())
        data.close()
        file.unlink()
    return lines


def test_pytest_cov_measures_the_workers_and_what_was_imported_before(project: Project) -> None:
    """Nothing to repair: coverage writes a file per process, if the worker ends through the hooks."""
    pytest.importorskip("pytest_cov")
    project.write("covered.py", COVERED)
    project.write(
        "test_it.py",
        """
        import covered, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n): assert covered.function(n)
        """,
    )
    project.workerinput = {
        "cov_master_host": socket.gethostname(),
        "cov_master_topdir": str(project.folder),
        "cov_master_rsync_roots": [],
    }
    outcome = project.run("-p", "pytest_cov.plugin", "--cov=covered", "--cov-report=", "--rootdir=.")
    assert not outcome.failures
    assert all("cov_worker_node_id" in worker.one("workeroutput") for worker in outcome.workers), outcome
    assert len(list(project.folder.glob(".coverage.*"))) == 2
    assert executed(project.folder, ".coverage.*") == {2, 3, 4, 5}


def test_a_measurement_started_with_the_interpreter_is_saved(project: Project) -> None:
    pytest.importorskip("coverage")
    project.write("covered.py", COVERED)
    project.write("site/sitecustomize.py", "import coverage\ncoverage.process_startup()\n")
    project.write("coveragerc", f"[run]\nparallel = true\ndata_file = {project.folder / 'data'}\n")
    project.write(
        "test_it.py",
        """
        import pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            import covered
            assert covered.function(n)
        """,
    )
    project.environ["COVERAGE_PROCESS_START"] = str(project.folder / "coveragerc")
    project.path.append(project.folder / "site")
    project.needs("save_coverage", lambda outcome: executed(project.folder, "data.*") == {2, 3, 4, 5})


def test_workers_have_thread_labels_of_their_own_in_allure(project: Project) -> None:
    pytest.importorskip("allure_pytest")
    project.write("test_it.py", "import pytest\n@pytest.mark.parametrize('n', range(2))\ndef test_it(n): pass\n")
    results = project.folder / "allure"

    def right(outcome: Outcome) -> bool:
        labels = set()
        for file in results.glob("*-result.json"):
            labels.update(each["value"] for each in json.loads(file.read_text())["labels"] if each["name"] == "thread")
            file.unlink()
        return labels == {f"{worker.one('pid')}-MainThread" for worker in outcome.workers}

    project.needs("allure", right, "-p", "allure_pytest.plugin", f"--alluredir={results}")


FLAKY = """
import pytest
TRIED = {}
@pytest.mark.parametrize("n", range(20))
def test_it(n):
    TRIED[n] = TRIED.get(n, 0) + 1
    assert TRIED[n] > 1
"""


def test_reruns_are_counted_on_a_connection_of_each_worker(project: Project) -> None:
    plugin = pytest.importorskip("pytest_rerunfailures")
    project.write("test_it.py", FLAKY)

    def right(outcome: Outcome) -> bool:
        counted = len(server.rerunfailures_db) - before
        return not outcome.failures and all(len(worker.calls) == 10 for worker in outcome.workers) and counted >= 20

    before = 0
    for without in ((), ("rerunfailures",)):
        server = plugin.ServerStatusDB()
        project.workerinput = {"sock_port": server.sock_port, "statusdb_token": getattr(server, "token", None)}
        arguments = ("-p", "xdist", "-p", "pytest_rerunfailures", "--reruns=2")
        outcome = project.run(*arguments, without=without)
        assert right(outcome) == (not without), outcome


def test_retries_are_reported_on_a_connection_of_each_worker(project: Project) -> None:
    servers = pytest.importorskip("pytest_retry.server")
    project.write("test_it.py", FLAKY)

    def right(outcome: Outcome) -> bool:
        deadline = time.monotonic() + 2
        while server.stream.getvalue().count("passed") < 20 and time.monotonic() < deadline and not outcome.failures:
            time.sleep(0.02)
        return server.stream.getvalue().count("passed") == 20

    for without in ((), ("pytest_retry",)):
        server = servers.ReportServer()
        project.workerinput = {"server_port": server.initialize_server()}
        outcome = project.run("-p", "pytest_retry.retry_plugin", "--retries=2", without=without)
        assert right(outcome) == (not without), (outcome, server.stream.getvalue())


def test_the_database_of_testmon_is_opened_anew(project: Project) -> None:
    pytest.importorskip("testmon")
    project.write("covered.py", COVERED)
    project.write(
        "test_it.py",
        """
        import covered, pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, pytestconfig, record_property):
            record_property("tests", len(pytestconfig.testmon_data.all_tests))
            assert covered.function(n)
        """,
    )
    serial = [sys.executable, "-m", "pytest", "-p", "testmon.pytest_testmon", "--testmon"]
    environ = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(serial, cwd=project.folder, env=environ, capture_output=True, check=True)
    assert Path(project.folder, ".testmondata").exists()
    project.workerinput = {
        "testmon_exec_id": 1,
        "testmon_system_packages_change": False,
        "testmon_files_of_interest": [],
    }
    project.needs(
        "testmon",
        lambda outcome: outcome.said("tests") == [2, 2],
        *("-p", "testmon.pytest_testmon", "--testmon", "--testmon-noselect", "-p", "xdist"),
    )


def test_a_lock_made_at_import_refuses_another_process(project: Project) -> None:
    filelock = pytest.importorskip("filelock")
    if not hasattr(filelock.FileLock("unused.lock"), "_creator_pid"):
        pytest.skip("locks of this filelock do not know their process")
    project.write(
        "test_it.py",
        """
        import filelock, pytest
        LOCK = filelock.FileLock("shared.lock")
        @pytest.mark.parametrize("n", range(2))
        def test_it(n):
            with LOCK.acquire(timeout=30):
                pass
        """,
    )
    project.needs("filelock", lambda outcome: not outcome.failures)


def test_only_gw0_says_that_benchmarks_are_disabled(project: Project) -> None:
    sessions = pytest.importorskip("pytest_benchmark.session")
    if not hasattr(sessions.BenchmarkSession, "note_xdist_benchmark"):
        pytest.skip("this pytest-benchmark lets every worker say it")
    project.write(
        "test_it.py",
        """
        import pytest
        @pytest.mark.parametrize("n", range(2))
        def test_it(n, benchmark, pytestconfig, record_property):
            benchmark(int)
            record_property("speaks", pytestconfig._benchmarksession.xdist_benchmark_found)
        """,
    )
    project.needs("benchmark", lambda outcome: outcome.said("speaks") == [True, False], "-p", "pytest_benchmark.plugin")
