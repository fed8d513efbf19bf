"""Environment variables, fixtures, marker and functions (contract 1.2 and 1.3)."""

from __future__ import annotations

import re

import probes
import pytest
from project import Project, not_forced_to_fork

SHOW_COUNT = {
    "conftest": """
        def pytest_terminal_summary(terminalreporter, config):
            if not hasattr(config, "workerinput"):
                terminalreporter.write_line(f"asked for {config.option.numprocesses!r}, tx {len(config.option.tx)}")
    """,
    "test_many": """
        import pytest
        @pytest.mark.parametrize("i", range(8))
        def test_many(i): pass
    """,
}


def test_environment_of_workers_alone(probe: probes.Probe, serial_probe: probes.Probe) -> None:
    for name, worker in probe.workers.items():
        assert worker["session"]["environ"] == {
            "PYTEST_XDIST_WORKER": name,
            "PYTEST_XDIST_WORKER_COUNT": "2",
            "PYTEST_XDIST_TESTRUNUID": probes.RUN_UID,
        }
    assert probe.controller["session"]["environ"] == serial_probe.controller["session"]["environ"] == {}


@not_forced_to_fork
def test_environment_is_set_before_any_conftest(project: Project) -> None:
    """Code that reads the id while it is imported sees its own worker's, however the workers are started."""
    project.files(
        conftest="""
            import os, pytest
            AT_IMPORT = {key: os.environ.get("PYTEST_XDIST_" + key) for key in ("WORKER", "WORKER_COUNT", "TESTRUNUID")}
            AT_CONFIGURE = {}
            def pytest_configure(config):
                AT_CONFIGURE["id"] = getattr(config, "workerinput", {}).get("workerid")
        """,
        test_many="""
            import pytest, time
            from conftest import AT_IMPORT, AT_CONFIGURE
            @pytest.mark.parametrize("i", range(8))
            def test_many(i, worker_id, testrun_uid):
                time.sleep(0.02)
                assert AT_IMPORT == {"WORKER": worker_id, "WORKER_COUNT": "2", "TESTRUNUID": testrun_uid}
                assert AT_CONFIGURE == {"id": worker_id}
        """,
    )
    run = project.run("-n2", "-v")
    assert (run.ret, run.counts) == (0, {"passed": 8}), run.out
    assert "[gw0]" in run.out
    assert "[gw1]" in run.out


@pytest.mark.parametrize(("value", "asked"), [("1", 1), ("3", 3)])
def test_auto_num_workers_variable(project: Project, value: str, asked: int) -> None:
    run = project.files(**SHOW_COUNT).run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": value})
    run.match(f"asked for {asked}, tx {asked}")
    assert run.counts == {"passed": 8}


def test_auto_num_workers_variable_of_zero_is_serial(project: Project) -> None:
    run = project.files(**SHOW_COUNT).run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "0"})
    run.match("collected 8 items", "asked for 0, tx 0")


def test_auto_num_workers_variable_of_nonsense_warns(project: Project) -> None:
    run = project.files(**SHOW_COUNT).run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "many"})
    assert run.ret == 0
    assert re.search(r"PYTEST_XDIST_AUTO_NUM_WORKERS is not a number", run.out + run.err)


def test_auto_num_workers_hook_comes_first(project: Project) -> None:
    sources = dict(SHOW_COUNT)
    sources["conftest"] += "\n        def pytest_xdist_auto_num_workers(config): return 1\n"
    run = project.files(**sources).run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "3"})
    run.match("1 worker *8 items*", "asked for 1, tx 1")


def test_auto_num_workers_hook_may_pass(project: Project) -> None:
    sources = dict(SHOW_COUNT)
    sources["conftest"] += "\n        def pytest_xdist_auto_num_workers(config): return None\n"
    run = project.files(**sources).run("-n", "auto", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"})
    run.match("2 workers *8 items*", "asked for 2, tx 2")


def test_logical_ignores_nothing_of_the_variable(project: Project) -> None:
    run = project.files(**SHOW_COUNT).run("-n", "logical", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "2"})
    run.match("asked for 2, tx 2")


def test_fixture_values(probe: probes.Probe) -> None:
    for name, worker in probe.workers.items():
        assert worker["tests"]
        for test in worker["tests"]:
            assert test["worker_id"] == test["function_id"] == test["environ"] == name
            assert test["testrun_uid"] == probes.RUN_UID
            assert test["is_worker"]
            assert not test["is_controller"]
            assert not test["is_master"]


def test_fixture_values_in_a_serial_run(serial_probe: probes.Probe) -> None:
    tests = serial_probe.controller["tests"]
    assert len(tests) == probes.TESTS
    for test in tests:
        assert test["worker_id"] == test["function_id"] == "master"
        assert test["environ"] is None
        assert not test["is_worker"]
        assert not test["is_controller"]
    assert re.fullmatch("[0-9a-f]{32}", tests[0]["testrun_uid"])


def test_testrun_uid_is_one_for_all_workers_and_new_for_each_run(project: Project) -> None:
    project.files(
        test_uid="""
            import pathlib, pytest, time
            @pytest.mark.parametrize("i", range(6))
            def test_uid(i, testrun_uid):
                time.sleep(0.02)
                with open("uids.txt", "a") as file: file.write(testrun_uid + "\\n")
        """
    )
    seen = []
    for _ in range(2):
        assert project.run("-n2").ret == 0
        seen.append(set((project.path / "uids.txt").read_text().split()))
        (project.path / "uids.txt").unlink()
    assert [len(uids) for uids in seen] == [1, 1]
    assert seen[0] != seen[1]
    assert all(re.fullmatch("[0-9a-f]{32}", uid) for uids in seen for uid in uids)


def test_worker_id_can_be_overridden(project: Project) -> None:
    project.files(
        conftest="""
            import pytest
            @pytest.fixture(scope="session")
            def worker_id(): return "local"
        """,
        test_a="def test_a(worker_id): assert worker_id == 'local'",
    )
    assert project.run("-n1").counts == {"passed": 1}


@pytest.mark.parametrize("args", [("-n2",), ()])
def test_group_marker_is_registered(project: Project, args: tuple[str, ...]) -> None:
    project.files(
        test_a="""
            import pytest
            @pytest.mark.xdist_group("one")
            def test_a(): pass
            @pytest.mark.xdist_group(name="two")
            def test_b(): pass
        """
    )
    run = project.run("--strict-markers", *args)
    assert (run.ret, run.counts) == (0, {"passed": 2}), run.out
