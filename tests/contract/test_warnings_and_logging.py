"""Warnings and log records of a distributed run (contract 1.9)."""

from __future__ import annotations

import re

import pytest
from project import Project

WARN = {
    "conftest": """
        def pytest_configure(config): config.issue_config_time_warning(UserWarning("at configure"), stacklevel=2)
    """,
    "test_a": """
        import warnings, pytest
        warnings.warn("at import")
        def test_a(): warnings.warn(DeprecationWarning("in a test"))
        def test_b(): warnings.warn("in a test")
        class Own(UserWarning): pass
        def test_own(): warnings.warn(Own("of its own", 3))
    """,
}


@pytest.mark.fixed_by_outpace("a warning of import is shown once for each worker, one of configure once more")
def test_each_warning_is_shown_once(project: Project) -> None:
    project.files(**WARN)
    serial, run = project.plain(record=True), project.run("-n3", record=True)
    assert serial.counts["warning"] == run.counts["warning"] == 5
    keys = ("category", "message", "file", "line", "when", "nodeid")
    seen = [sorted([str(one[key]) for key in keys] for one in each.recorded["warnings"]) for each in (serial, run)]
    assert seen[0] == seen[1]


def test_warning_of_a_test_keeps_its_place_and_class(project: Project) -> None:
    project.files(test_a=WARN["test_a"])
    run = project.run("-n1", record=True)
    in_tests = [one for one in run.recorded["warnings"] if one["when"] == "runtest"]
    assert sorted((one["category"], one["message"], one["file"], one["line"], one["nodeid"]) for one in in_tests) == [
        ("DeprecationWarning", "in a test", "test_a.py", 3, "test_a.py::test_a"),
        ("Own", "('of its own', 3)", "test_a.py", 6, "test_a.py::test_own"),
        ("UserWarning", "in a test", "test_a.py", 4, "test_a.py::test_b"),
    ]


@pytest.mark.parametrize("args", [("-W", "error"), ("-p", "no:warnings"), ("-W", "ignore")])
def test_warning_options_reach_the_workers(project: Project, args: tuple[str, ...]) -> None:
    project.files(test_a="import warnings\ndef test_a(): warnings.warn('one')\ndef test_b(): pass")
    serial, run = project.plain(*args), project.run("-n2", *args)
    assert (run.ret, run.counts) == (serial.ret, serial.counts)


# ------------------------------------------------------------------------------------------------ logging


LOGS = """
    import logging, pytest, time
    @pytest.mark.parametrize("i", range(12))
    def test_log(i):
        time.sleep(0.01)
        logging.getLogger("mine").warning("record <%d>", i)
        assert i % 4
"""


def test_captured_log_travels(project: Project) -> None:
    run = project.files(test_a=LOGS).run("-n2", "--log-level=INFO")
    assert run.counts == {"failed": 3, "passed": 9}
    assert sorted(re.findall(r"WARNING  mine:test_a\.py:5 record <(\d+)>", run.out)) == ["0", "4", "8"]


@pytest.mark.fixed_by_outpace("every process opens the file for writing, and records are lost")
def test_log_file_keeps_every_record(project: Project) -> None:
    run = project.files(test_a=LOGS).run("-n3", "--log-file=all.log", "--log-file-level=INFO")
    assert run.counts == {"failed": 3, "passed": 9}
    found = re.findall(r"record <(\d+)>", (project.path / "all.log").read_text())
    assert sorted(map(int, found)) == list(range(12))
