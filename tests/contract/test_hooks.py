"""Which hooks run where, in which order, with which objects (contract 1.5 and 1.6), mostly read off the probe run."""

from __future__ import annotations

import probes
import pytest
from project import Project

NEVER_IN_THE_CONTROLLER = {
    "pytest_collection_modifyitems", "pytest_itemcollected", "pytest_generate_tests", "pytest_deselected",
    "pytest_collection_finish", "pytest_report_collectionfinish", "pytest_runtest_protocol", "pytest_runtest_setup",
    "pytest_runtest_call", "pytest_runtest_teardown", "pytest_runtest_makereport", "pytest_fixture_setup",
    "pytest_fixture_post_finalizer", "pytest_exception_interact", "pytest_pyfunc_call", "pytest_collectstart",
}  # fmt: skip
IN_THE_CONTROLLER = {
    "pytest_configure", "pytest_sessionstart", "pytest_report_header", "pytest_runtest_logstart",
    "pytest_runtest_logreport", "pytest_runtest_logfinish", "pytest_report_teststatus", "pytest_sessionfinish",
    "pytest_terminal_summary", "pytest_report_from_serializable",
}  # fmt: skip
IN_EACH_WORKER = {
    "pytest_configure", "pytest_sessionstart", "pytest_report_header", "pytest_collection", "pytest_itemcollected",
    "pytest_collection_modifyitems", "pytest_collection_finish", "pytest_runtestloop", "pytest_runtest_protocol",
    "pytest_runtest_setup", "pytest_runtest_call", "pytest_runtest_teardown", "pytest_runtest_makereport",
    "pytest_runtest_logreport", "pytest_report_to_serializable", "pytest_sessionfinish", "pytest_terminal_summary",
    "pytest_fixture_setup", "pytest_runtest_logstart", "pytest_runtest_logfinish",
}  # fmt: skip
START = ["pytest_xdist_setupnodes", "pytest_xdist_newgateway", "pytest_configure_node", "pytest_testnodeready",
         "pytest_xdist_node_collection_finished", "pytest_testnodedown"]  # fmt: skip


def test_controller_calls(probe: probes.Probe) -> None:
    called = set(probe.controller["calls"])
    assert IN_THE_CONTROLLER - called == set()
    assert NEVER_IN_THE_CONTROLLER & called == set()


def test_worker_calls(probe: probes.Probe) -> None:
    for worker in probe.workers.values():
        called = set(worker["calls"])
        assert IN_EACH_WORKER - called == set()
        assert {name for name in called if "xdist" in name or "node" in name} == set()


def test_each_worker_has_one_session(probe: probes.Probe) -> None:
    once = ("pytest_configure", "pytest_sessionstart", "pytest_collection_modifyitems", "pytest_collection_finish",
            "pytest_sessionfinish", "pytest_terminal_summary", "pytest_runtestloop")  # fmt: skip
    for worker in probe.workers.values():
        assert [worker["calls"].count(name) for name in once] == [1] * len(once)


def test_serial_calls_no_xdist_hook(serial_probe: probes.Probe) -> None:
    called = serial_probe.controller["calls"]
    assert {name for name in called if "xdist" in name or "node" in name} == set()


def test_order_in_the_controller(probe: probes.Probe) -> None:
    calls = probe.controller["calls"]
    first = [calls.index(name) for name in ("pytest_configure", "pytest_sessionstart", *START[:3],
             "pytest_xdist_make_scheduler", "pytest_testnodeready", "pytest_xdist_node_collection_finished",
             "pytest_runtest_logstart")]  # fmt: skip
    assert first == sorted(first)
    last = len(calls) - 1 - calls[::-1].index("pytest_testnodedown")
    assert last < calls.index("pytest_sessionfinish") < calls.index("pytest_terminal_summary")
    assert calls.count("pytest_xdist_make_scheduler") == 1
    assert calls.count("pytest_sessionstart") == 1


@pytest.mark.parametrize("name", ["gw0", "gw1"])
def test_order_for_a_node(probe: probes.Probe, name: str) -> None:
    assert [hook for hook, node in probe.controller["order"] if node in (None, name)] == START


def test_log_hooks_of_a_test_come_in_order(probe: probes.Probe) -> None:
    """logstart, the reports of setup, call and teardown, logfinish; of two workers they may be interleaved."""
    by_test: dict[str, list[str]] = {}
    for report in probe.controller["reports"]:
        by_test.setdefault(report["nodeid"], []).append(report["when"])
    assert len(by_test) == probes.TESTS + 4
    skipped = by_test.pop("test_kinds.py::test_skips")
    assert skipped == ["setup", "teardown"]
    assert all(phases == ["setup", "call", "teardown"] for phases in by_test.values())
    calls = probe.controller["calls"]
    for name in ("pytest_runtest_logstart", "pytest_runtest_logfinish"):
        assert calls.count(name) == probes.TESTS + 4


def test_specs(probe: probes.Probe) -> None:
    specs = probe.controller["specs"]
    assert [spec[1:4] for spec in specs] == [[True, None, None]] * 2


@pytest.mark.parametrize("name", ["gw0", "gw1"])
def test_node(probe: probes.Probe, name: str) -> None:
    node = probe.controller["nodes"][name]
    assert node["repr"] == f"<WorkerController {name}>"
    assert {"mainargv", "testrunuid", "workercount", "workerid"} <= set(node["workerinput"])
    assert node["hashable"]
    assert node["config_is_ours"]
    assert node["attribute"] == "kept"
    assert (node["roots"], node["testrunuid"], node["specs"]) == ("[]", probes.RUN_UID, 2)
    assert node["spec"] == [name, True, None]
    assert node["methods"] == [True, True, True]
    assert node["shutting_down"] is False
    assert node["error"] is None
    assert len(node["ids"]) == probes.TESTS + 4


@pytest.mark.parametrize("name", ["gw0", "gw1"])
def test_node_info(probe: probes.Probe, name: str) -> None:
    node, worker = probe.controller["nodes"][name], probe.workers[name]
    info = node["workerinfo"]
    assert set(info) == {"version", "version_info", "sysplatform", "platform", "executable", "cwd", "id", "spec"}
    assert info["id"] == name
    assert node["rinfo"]["executable"] == repr(info["executable"])
    assert node["rinfo"]["platform"] == repr(info["sysplatform"])
    assert node["rinfo"]["cwd"] == repr(info["cwd"])
    assert node["rinfo"]["version_info"] == repr(tuple(info["version_info"]))
    assert node["pid"] == worker["pid"]


def test_deselection_and_warnings_reach_the_controller_by_its_own_hooks_only(project: Project) -> None:
    project.files(
        conftest="""
            SEEN = []
            def pytest_deselected(items): SEEN.append("deselected")
            def pytest_warning_recorded(warning_message, when, nodeid): SEEN.append(f"warning {when} {nodeid}")
            def pytest_collectreport(report): SEEN.append(f"collect {report.nodeid} {report.outcome}")
            def pytest_terminal_summary(terminalreporter, config):
                if not hasattr(config, "workerinput"):
                    for line in SEEN: terminalreporter.write_line("seen " + line)
        """,
        test_a="""
            import warnings
            def test_keep(): warnings.warn("one")
            def test_drop(): pass
        """,
        test_broken="import nothing_of_that_name",
        test_module_skip="import pytest; pytest.skip('whole file', allow_module_level=True)",
    )
    run = project.run("-n2", "-k", "keep or broken")
    seen = sorted(line for line in run.lines if line.startswith("seen "))
    assert seen == [
        "seen collect test_broken.py failed",
        "seen collect test_module_skip.py skipped",
        "seen warning runtest test_a.py::test_keep",
    ]


CRASH = """
    import os, pytest
    FLAG = os.path.join(os.path.dirname(__file__), "crashed")
    def test_before(): pass
    def test_crash():
        if not os.path.exists(FLAG) or ALWAYS:
            open(FLAG, "w").close()
            os._exit(17)
    @pytest.mark.parametrize("i", range(4))
    def test_after(i): pass
"""


@pytest.mark.parametrize("dist", ["load", "worksteal"])
def test_crash_item_can_be_run_again(project: Project, dist: str) -> None:
    """What xdist's ``test_handlecrashitem_one`` asks, without its dependence on the summary lines of old pytest."""
    project.files(
        conftest="""
            SEEN = []
            def pytest_handlecrashitem(crashitem, report, sched):
                SEEN.append(f"{crashitem} {report.outcome} {report.when} {type(report.longrepr).__name__}")
                sched.mark_test_pending(crashitem)
            def pytest_terminal_summary(terminalreporter):
                for line in SEEN: terminalreporter.write_line("seen " + line)
        """,
        test_crash=CRASH.replace("ALWAYS", "False"),
    )
    run = project.run("-n1", f"--dist={dist}", "-v")
    run.match("seen test_crash.py::test_crash failed [?][?][?] str")
    assert run.has("*PASSED test_crash.py::test_crash*")
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 6})


def test_crash_report_can_be_changed_by_the_hook(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_handlecrashitem(crashitem, report, sched):
                report.outcome = "skipped"
                report.longrepr = ("file", 1, "reason")
        """,
        test_crash=CRASH.replace("ALWAYS", "True"),
    )
    run = project.run("-n1")
    assert (run.ret, run.counts) == (0, {"passed": 5, "skipped": 1})


HANGS = pytest.param("loadgroup", marks=pytest.mark.fixed_by_outpace("the run hangs"))


@pytest.mark.parametrize("dist", ["loadscope", "loadfile", HANGS])
def test_mark_test_pending_where_xdist_has_none(project: Project, dist: str) -> None:
    """It may be refused as xdist does, by the one exception that plugins catch, or be done; the run ends either way."""
    project.files(
        conftest="""
            def pytest_handlecrashitem(crashitem, report, sched):
                try: sched.mark_test_pending(crashitem)
                except NotImplementedError: pass
        """,
        test_crash=CRASH.replace("ALWAYS", "False"),
    )
    run = project.run("-n1", f"--dist={dist}", limit=20)
    assert run.ret == 1
    assert run.counts in ({"failed": 1, "passed": 5}, {"failed": 1, "passed": 6})


@pytest.mark.fixed_by_outpace("the crashing test of a unit is run again and again, or the run hangs")
@pytest.mark.parametrize("dist", ["loadscope", "loadfile", "loadgroup"])
def test_crash_inside_a_unit(project: Project, dist: str) -> None:
    run = project.files(test_crash=CRASH.replace("ALWAYS", "True")).run("-n1", f"--dist={dist}", limit=20)
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 5})


def test_crash_report_and_node_down(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_testnodedown(node, error):
                print("down", node.gateway.id, repr(error), hasattr(node, "workeroutput"))
            def pytest_runtest_logreport(report):
                if report.when == "???":
                    print("crash", report.nodeid, report.location, report.node.gateway.id, repr(report.longrepr),
                          hasattr(report, "worker_id"))
            def pytest_configure_node(node): print("configure", node.gateway.id, node.workerinput["workercount"])
        """,
        test_crash=CRASH.replace("ALWAYS", "True"),
    )
    run = project.run("-n1", "-s")
    run.match(
        "*configure gw0 1*", "*down gw0 'Not properly terminated*' False*", "*configure gw1 1*", "*down gw1 None True*"
    )
    run.match(
        """*crash test_crash.py::test_crash ('test_crash.py', None, 'test_crash.py') gw0 "worker 'gw0' crashed """
        """while running 'test_crash.py::test_crash'*" False*"""
    )
