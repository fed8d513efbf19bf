"""Attributes of config and session in the controller and in the workers (contract 1.4), read off the probe run."""

from __future__ import annotations

import probes
import pytest
from project import Project

OPTIONS_OF_A_WORKER = {
    "dist": "'no'",
    "distload": "False",
    "numprocesses": "None",
    "maxprocesses": "None",
    "usepdb": "False",
    "looponfail": "False",
    "tx": "[]",
}


def test_probe_ran_both_workers(probe: probes.Probe) -> None:
    assert probe.run.ret == 1
    assert probe.run.counts == {"failed": 1, "passed": 13, "skipped": 1, "xfailed": 1}
    assert sorted(probe.workers) == ["gw0", "gw1"]


def test_controller_options_after_cmdline_main(probe: probes.Probe) -> None:
    options = probe.controller["options at configure"]
    assert options["dist"] == "'load'"
    assert options["numprocesses"] == "2"
    assert options["tx"] == "['popen', 'popen']"


def test_controller_has_no_workerinput(probe: probes.Probe, serial_probe: probes.Probe) -> None:
    for process in (probe.controller, serial_probe.controller):
        assert process["workerinput at configure"] == []
        assert process["workeroutput at configure"] == "None"


def test_controller_session_counts_without_items(probe: probes.Probe) -> None:
    session = probe.controller["session"]
    assert session["testscollected"] == probes.TESTS + 4
    assert session["items"] == 0
    assert session["testsfailed"] == 1
    assert session["exitstatus"] == 1


def test_plugin_names(probe: probes.Probe, serial_probe: probes.Probe) -> None:
    assert probe.controller["session"]["plugins"] == [
        "xdist", "xdist.looponfail", "dsession", "terminaldistreporter", "terminalreporter",
    ]  # fmt: skip
    for process in (*probe.workers.values(), serial_probe.controller):
        assert process["session"]["plugins"] == ["xdist", "xdist.looponfail", "terminalreporter"]


def test_dsession_attributes(probe: probes.Probe) -> None:
    assert probe.controller["dsession"] == ["sched", "nodemanager", "shouldstop", "shuttingdown", "queue"]


def test_workerinput_is_there_before_configure(probe: probes.Probe) -> None:
    for worker in probe.workers.values():
        assert {"workerid", "workercount", "testrunuid", "mainargv", "probe extra"} <= set(
            worker["workerinput at configure"]
        )
        assert worker["workeroutput at configure"] == "{}"


def test_workerinput_values(probe: probes.Probe) -> None:
    for name, worker in probe.workers.items():
        values = worker["session"]["workerinput"]
        assert values["workerid"] == repr(name)
        assert values["workercount"] == "2"
        assert values["testrunuid"] == repr(probes.RUN_UID)
        assert "-n2" in values["mainargv"]


def test_configure_node_data_reaches_each_worker_typed(probe: probes.Probe) -> None:
    for name, worker in probe.workers.items():
        expected = repr({"for": name, "typed": (1, {2}, frozenset({3}))})
        assert worker["session"]["workerinput"]["probe extra"] == expected
        assert {test["extra"] for test in worker["tests"]} == {expected}


def test_worker_options(probe: probes.Probe) -> None:
    for name, worker in probe.workers.items():
        options = dict(worker["session"]["options"])
        assert options.pop("basetemp").rstrip("'").endswith(f"popen-{name}")
        assert options.pop("verbose") == "0"
        assert options == OPTIONS_OF_A_WORKER


def test_worker_process(probe: probes.Probe) -> None:
    assert len({worker["pid"] for worker in probe.workers.values()} | {probe.controller["pid"]}) == 3
    for worker in probe.workers.values():
        for test in worker["tests"]:
            assert test["argv"] == ["-c"]
            assert not test["blank_path"]
            assert test["main_thread"]
            assert test["stdin"] == ""
            assert test["pid"] == worker["pid"]


def test_worker_prog_is_the_controllers(probe: probes.Probe) -> None:
    for worker in probe.workers.values():
        assert worker["session"]["prog"] == "__main__.py"


def test_workeroutput_reaches_the_controller(probe: probes.Probe) -> None:
    for node in probe.controller["nodes"].values():
        output = node["workeroutput"]
        assert output["probe at configure"] == "('kept', {1})"
        assert output["probe at finish"] == "{1: (2, b'3')}"
        assert output["exitstatus"] in ("0", "1")
        assert output["shouldfail"] == output["shouldstop"] == "False"


def test_workeroutput_of_configure_is_each_workers_own(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_configure(config):
                if hasattr(config, "workeroutput"):
                    config.workeroutput["seen"] = []

            def pytest_runtest_logreport(report):
                if report.when == "call" and CONFIG is not None:
                    CONFIG.workeroutput["seen"].append(report.nodeid)

            CONFIG = None
            def pytest_sessionstart(session):
                global CONFIG
                CONFIG = session.config if hasattr(session.config, "workeroutput") else None

            SEEN = []
            def pytest_testnodedown(node, error):
                SEEN.append(node.workeroutput["seen"])

            def pytest_terminal_summary(terminalreporter):
                if SEEN:
                    terminalreporter.write_line(f"seen {sum(map(len, SEEN))} by {len([s for s in SEEN if s])}")
        """,
        test_a="""
            import pytest, time
            @pytest.mark.parametrize("i", range(10))
            def test_a(i): time.sleep(0.03)
        """,
    )
    project.run("-n2").match("seen 10 by 2")


def test_plugin_objects_of_the_command_line_are_loaded_in_workers(project: Project) -> None:
    project.files(
        my_plugin="""
            import pytest
            @pytest.fixture
            def mine(): return "from -p"
        """,
        test_a="def test_a(mine): assert mine == 'from -p'",
    )
    run = project.run("-n1", "-p", "my_plugin")
    assert run.ret == 0, run.out


@pytest.mark.parametrize("where", ["PYTEST_ADDOPTS", "ini"])
def test_workers_take_options_from(project: Project, where: str) -> None:
    project.files(test_a="def test_keep(): pass\ndef test_drop(): assert 0")
    env = {"PYTEST_ADDOPTS": "-k keep"} if where == "PYTEST_ADDOPTS" else {}
    if where == "ini":
        project.ini("addopts = -k keep")
    run = project.run("-n2", env=env)
    assert (run.ret, run.counts) == (0, {"passed": 1})
