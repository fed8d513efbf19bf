"""junitxml, durations and runs without one of pytest's own plugins (contract 1.9)."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from project import Project

TESTS = """
    import pytest, sys, time
    def test_pass(record_property): record_property("key", "value")
    def test_fail():
        print("out"); print("err", file=sys.stderr)
        assert 0
    def test_skip(): pytest.skip("a reason")
    @pytest.mark.xfail
    def test_xfail(): assert 0
    @pytest.fixture
    def broken(): raise ValueError
    def test_error(broken): pass
    @pytest.fixture
    def broken_end():
        yield
        raise ValueError
    def test_both(broken_end): assert 0
    def test_slow(): time.sleep(0.2)
    class TestClass:
        @pytest.mark.parametrize("i", range(4))
        def test_method(self, i): pass
"""
# Each is one of pytest's own that a project may turn off, and that outpace could have leaned on.
OPTIONAL = ["cacheprovider", "tmpdir", "capture", "logging", "warnings", "junitxml", "faulthandler", "stepwise",
            "doctest", "unittest", "setuponly", "debugging", "terminalprogress", "threadexception",
            "unraisableexception", "recwarn", "monkeypatch", "skipping"]  # fmt: skip


def _cases(path: Path) -> list[str]:
    """Every test case as text, without times, sorted: workers finish in any order."""
    root = ElementTree.parse(path).getroot()
    for element in root.iter():
        element.attrib.pop("time", None)
    cases = [ElementTree.tostring(case, encoding="unicode") for case in root.iter("testcase")]
    return sorted(re.sub(r"0x[0-9a-f]+|\[gw\d+\] \w+ -- Python \S+ \S+\s", "", case) for case in cases)


def _totals(path: Path) -> dict[str, str]:
    suite = next(ElementTree.parse(path).getroot().iter("testsuite"))
    return {name: suite.attrib[name] for name in ("name", "tests", "failures", "errors", "skipped")}


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
@pytest.mark.parametrize("logging", ["no", "all"])
def test_junitxml_equals_the_serial_one(project: Project, family: str, logging: str) -> None:
    project.files(test_a=TESTS, test_b="def test_b(): pass")
    args = ["-o", f"junit_family={family}", "-o", f"junit_logging={logging}"]
    serial, run = project.plain("--junitxml=a.xml", *args), project.run("-n2", "--junitxml=b.xml", *args)
    assert serial.ret == run.ret == 1
    one, other = project.path / "a.xml", project.path / "b.xml"
    assert len(_cases(one)) == 13  # a test that fails and whose teardown fails counts twice
    assert _cases(one) == _cases(other)
    assert _totals(one) == _totals(other)


def test_junitxml_names_a_crash(project: Project) -> None:
    project.files(test_a="import os\ndef test_a(): pass\ndef test_crash(): os._exit(1)\ndef test_b(): pass")
    project.run("-n1", "--junitxml=a.xml")
    cases = _cases(project.path / "a.xml")
    assert len(cases) == 3
    assert sum("crashed while running" in case for case in cases) == 1
    assert _totals(project.path / "a.xml")["tests"] == "3"


def test_durations(project: Project) -> None:
    run = project.files(test_a=TESTS).run("-n2", "--durations=3", "--durations-min=0.1")
    slow = [line for line in run.lines if "test_slow" in line and "call" in line]
    assert len(slow) == 1
    assert 0.2 <= float(slow[0].split("s ")[0]) < 2


def test_a_tests_duration_is_its_own(project: Project) -> None:
    """Waiting for the next test, or for a message, is no part of it; start and stop are of one clock."""
    run = project.files(test_a=TESTS).run("-n2", record=True)
    by_call = {one["nodeid"]: one for one in run.recorded["reports"] if one["when"] == "call"}
    slow = by_call.pop("test_a.py::test_slow")
    assert 0.2 <= slow["duration"] < 2
    if slow["stop"] is not None:
        assert abs((slow["stop"] - slow["start"]) - slow["duration"]) < 0.5
    assert by_call["test_a.py::test_pass"]["duration"] < 0.2


@pytest.mark.parametrize("name", OPTIONAL)
def test_without_one_of_pytests_own_plugins(project: Project, name: str) -> None:
    project.files(test_a="def test_a(): pass\ndef test_b(): assert 0\nclass TestC:\n    def test_c(self): pass")
    run = project.run("-n2", "-p", f"no:{name}")
    assert (run.ret, run.counts) == (1, {"failed": 1, "passed": 2}), run.out + run.err
    assert run.err == ""
