"""Reports as the controller sees them: attributes, Python types, what tests and plugins put on them (contract 1.6)."""

from __future__ import annotations

import outcomes
import probe_plugin
import probes
import pytest
from project import Project

MIXED = """
    import logging, sys, unittest, warnings
    import pytest

    @pytest.fixture
    def broken_setup(): raise ValueError("setup")
    @pytest.fixture
    def broken_teardown():
        yield
        raise ValueError("teardown")

    def test_pass(): pass
    def test_fail(): assert {"a": 1} == {"a": 2}
    def test_output(capsys):
        print("out"); print("err", file=sys.stderr); logging.getLogger("x").warning("logged")
        assert 0
    def test_unicode(): assert "snow \\u2603" == ""
    def test_setup(broken_setup): pass
    def test_teardown(broken_teardown): print("in call")
    def test_skip(): pytest.skip("a reason")
    @pytest.mark.skipif("1 > 0", reason="always")
    def test_skipif(): pass
    @pytest.mark.xfail(reason="known")
    def test_xfail(): assert 0
    @pytest.mark.xfail(reason="fixed", strict=True)
    def test_xpass_strict(): pass
    @pytest.mark.xfail
    def test_xpass(): pass
    def test_importorskip(): pytest.importorskip("nothing_of_that_name")
    def test_chain():
        try: 1 / 0
        except ZeroDivisionError as error: raise RuntimeError("outer") from error
    def test_group():
        if sys.version_info < (3, 11): pytest.skip("no exception groups")
        raise ExceptionGroup("many", [ValueError(1), TypeError("two")])
    def test_many_frames():
        def again(n): return again(n - 1) if n else 1 / 0
        again(20)
    def test_warns(): warnings.warn(DeprecationWarning("old"))
    def test_property(record_property): record_property("key", {"nested": [1, (2,)]})
    @pytest.mark.parametrize("value", ["a b", "x/y", "[", "::", "\\u2603", ""])
    def test_odd_ids(value): assert value
    class TestClass:
        def test_method(self): assert 0, "in a class"
    class TestUnit(unittest.TestCase):
        def test_unit(self): self.assertEqual(1, 2)
        @unittest.skip("unit skip")
        def test_unit_skip(self): pass
        @unittest.expectedFailure
        def test_unit_xfail(self): self.fail()
        def test_subtest(self):
            for i in range(2):
                with self.subTest(i=i): self.assertTrue(True)
"""


@pytest.mark.parametrize("args", [(), ("--tb=short",), ("--showlocals", "-rA")])
def test_every_report_equals_the_serial_one(project: Project, args: tuple[str, ...]) -> None:
    project.files(test_mixed=MIXED, test_module_skip="import pytest\npytest.skip('all', allow_module_level=True)")
    serial = project.plain(*args, record=True)
    parallel = project.run("-n2", *args, record=True)
    assert len(serial.recorded["reports"]) > 60
    assert outcomes.differences(serial.recorded, parallel.recorded) == []
    assert serial.counts == parallel.counts


def test_report_class_and_attributes(probe: probes.Probe) -> None:
    for report in probe.controller["reports"]:
        assert report["class"] == "_pytest.reports.TestReport"
        assert report["node"] == [report["worker_id"], "kept"]
        assert report["worker_id"] in probe.workers
        assert report["testrun_uid"] == probes.RUN_UID
        assert report["main thread"]


def test_item_index_is_the_place_in_the_collection(probe: probes.Probe) -> None:
    ids = probe.controller["nodes"]["gw0"]["ids"]
    for report in probe.controller["reports"]:
        assert ids[report["item_index"]] == report["nodeid"]


def test_worker_sees_reports_without_what_the_controller_adds(probe: probes.Probe) -> None:
    for worker in probe.workers.values():
        assert worker["reports"]
        for report in worker["reports"]:
            assert report["node"] is None
            assert report["item_index"] is None


def test_extra_attributes_keep_their_types(probe: probes.Probe) -> None:
    assert {report["wired"] for report in probe.controller["reports"]} == {repr(probe_plugin.WIRED)}


def test_user_properties_keep_their_types(probe: probes.Probe) -> None:
    expected = "[('at setup', (1, {'a': {2}})), ('at call', (1, {'a': {2}}))]"
    reports = [one for one in probe.controller["reports"] if one["when"] == "teardown" and "test_many" in one["nodeid"]]
    assert {report["user_properties"] for report in reports} == {expected}


def test_report_parts_have_the_types_of_a_serial_run(probe: probes.Probe, serial_probe: probes.Probe) -> None:
    """A skip's ``longrepr`` must be a tuple (junitxml asserts it), ``location`` and sections hold tuples."""
    fields = ("class", "longrepr", "location", "keywords", "sections", "user_properties", "wired")
    serial = {
        (one["nodeid"], one["when"]): [one[name] for name in fields] for one in serial_probe.controller["reports"]
    }
    seen = {(one["nodeid"], one["when"]): [one[name] for name in fields] for one in probe.controller["reports"]}
    assert seen == serial


@pytest.mark.fixed_by_outpace("text that UTF-8 cannot encode is an internal error of the worker")
def test_lone_surrogate_in_a_failure(project: Project) -> None:
    project.files(
        test_a="""
            def test_a(record_property):
                record_property("name", "\\udc80")
                assert "\\udc80" == ""
            def test_b(): pass
        """
    )
    serial, parallel = project.plain(record=True), project.run("-n2", record=True)
    assert outcomes.differences(serial.recorded, parallel.recorded) == []


ODD = """
    import decimal, enum, pathlib, pytest
    class Odd:
        def __repr__(self): return "<Odd one>"
    class Nasty:
        def __repr__(self): raise ValueError("no repr")
    VALUES = [Odd(), Nasty(), pathlib.Path("a"), decimal.Decimal("1.5"), lambda: 0, {"k": Odd()}, [Odd()],
              {Odd(): 1}, type("T", (str,), {})("text"), range(3), object]
    @pytest.mark.parametrize("i", range(len(VALUES)))
    def test_odd(i, record_property): record_property("odd", VALUES[i])
    def test_after(): pass
"""


@pytest.mark.fixed_by_outpace("an object that execnet cannot send is an internal error of the worker")
def test_odd_property_degrades_and_never_ends_the_run(project: Project) -> None:
    project.files(
        conftest="""
            def pytest_runtest_logreport(report):
                if hasattr(report, "node") and report.when == "call" and report.user_properties:
                    [(name, value)] = report.user_properties
                    print("property", report.nodeid, name, type(value).__name__, str(value)[:60])
        """,
        test_odd=ODD,
    )
    run = project.run("-n2", "-s")
    assert (run.ret, run.counts) == (0, {"passed": 12}), run.out
    run.match("*property test_odd.py::test_odd[[]0[]] odd str <Odd one>*")
    assert sum("property test_odd.py" in line for line in run.lines) == 11


@pytest.mark.fixed_by_outpace("an object that execnet cannot send is an internal error of the worker")
def test_odd_report_attribute_and_workeroutput(project: Project) -> None:
    project.files(
        conftest="""
            import pytest
            class Odd:
                def __repr__(self): return "<Odd one>"
            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_makereport(item):
                report = yield
                report.odd = {"in": [Odd()]}
                return report
            def pytest_sessionfinish(session):
                if hasattr(session.config, "workeroutput"):
                    session.config.workeroutput.update(odd=Odd(), even=2)
            def pytest_runtest_logreport(report):
                if hasattr(report, "node") and report.when == "call": print("report", report.odd)
            def pytest_testnodedown(node, error): print("output", node.workeroutput["odd"], node.workeroutput["even"])
        """,
        test_a="def test_a(): pass",
    )
    run = project.run("-n1", "-s")
    run.match("*report {'in': [[]'<Odd one>'[]]}*", "*output <Odd one> 2*")
    assert run.ret == 0


def test_serializable_hooks_of_a_plugin_carry_its_own_report(project: Project) -> None:
    project.files(
        conftest="""
            import pytest
            from _pytest.reports import TestReport
            class Extra(TestReport): pass

            def pytest_report_to_serializable(report):
                if isinstance(report, Extra):
                    data = report._to_json()
                    data["$report_type"] = "Extra"
                    return data
            def pytest_report_from_serializable(data):
                if data.get("$report_type") == "Extra":
                    del data["$report_type"]
                    return Extra._from_json(data)
            @pytest.hookimpl(wrapper=True)
            def pytest_runtest_makereport(item, call):
                report = yield
                if report.when == "call":
                    extra = Extra(item.nodeid, report.location, {}, "passed", None, "call", extra_key=(1, 2))
                    item.ihook.pytest_runtest_logreport(report=extra)
                return report
            def pytest_runtest_logreport(report):
                if isinstance(report, Extra) and hasattr(report, "node"):
                    print("extra", report.nodeid, report.extra_key, report.worker_id)
            def pytest_report_teststatus(report):
                if isinstance(report, Extra): return "extra", "e", "EXTRA"
        """,
        test_a="def test_a(): pass",
    )
    run = project.run("-n1", "-s")
    run.match("*extra test_a.py::test_a (1, 2) gw0*")
    assert run.ret == 0, run.out


def test_large_report(project: Project) -> None:
    project.files(
        test_a="""
            import pytest
            def test_a():
                print("x" * 3_000_000 + " the end")
                assert 0
            @pytest.mark.parametrize("i", range(50))
            def test_noise(i): print("line\\n" * 2000)
        """
    )
    run = project.run("-n2")
    assert run.counts == {"failed": 1, "passed": 50}
    assert "x the end" in run.out
