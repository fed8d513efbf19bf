"""Every plugin's project gives the same in parallel as serially; the plugins that people combine do so together."""

from __future__ import annotations

import ast
import importlib.metadata
import re
from pathlib import Path

import outcomes
import pytest

from .lab import SERIAL, XDIST, Lab, Mode, assert_same
from .table import PLUGINS, render
from .test_coverage import measured
from .test_reports import allure_files, html_page, html_rows, json_report, junit, log_lines

HERE = Path(__file__).resolve().parent

# Plugins whose closing line is not pytest's; their own tests compare it.
OWN_CLOSING_LINE = {"sugar"}
# Under xdist pytest-timeout adds the stack of execnet's thread to what a test printed. outpace has no such thread.
XDIST_FIELDS = {"timeout": tuple(field for field in outcomes.REPORT_FIELDS if field != "sections")}


def pinned() -> dict[str, str]:
    lines = (HERE / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("distribution", sorted(pinned()))
def test_installed_version_is_the_pinned_one(distribution: str) -> None:
    try:
        installed = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    assert installed == pinned()[distribution], "pip install -r tests/plugins/requirements.txt"


@pytest.mark.parametrize("project", sorted(PLUGINS))
def test_same_outcomes(lab: Lab, project: str, mode: Mode) -> None:
    fields = XDIST_FIELDS.get(project, outcomes.REPORT_FIELDS) if mode is XDIST else outcomes.REPORT_FIELDS
    serial, parallel = lab.run(project, SERIAL), lab.run(project, mode)
    assert_same(serial, parallel, fields=fields, closing=project not in OWN_CLOSING_LINE)


def test_warnings_of_configuration_are_reported_once(lab: Lab, mode: Mode) -> None:
    """``-p html`` has pytest try to rewrite the standard module of that name, and warn that it is imported already."""
    load = ("metadata", "html", "html_fixtures")
    serial, parallel = (lab.run("html", each, load=load) for each in (SERIAL, mode))
    assert "PytestAssertRewriteWarning" in [warning["category"] for warning in serial.record["warnings"]]
    assert_same(serial, parallel)


def test_all_together(lab: Lab, mode: Mode) -> None:
    """Plugins that a project would have installed at once, loaded by their entry points, all doing their work."""
    serial, parallel = (lab.run("together", each, autoload=True) for each in (SERIAL, mode))
    assert_same(serial, parallel)
    assert re.search(r"\d rerun$", parallel.last_line), parallel.output
    assert measured(parallel) == measured(serial) != {}
    assert len(html_rows(html_page(parallel)[0])) == len(html_rows(html_page(serial)[0])) > 0
    assert json_report(parallel)["summary"] == json_report(serial)["summary"]
    assert len(log_lines(parallel, "TestReport")) == len(log_lines(serial, "TestReport")) > 0
    assert junit(parallel)[0] == junit(serial)[0]
    assert len(allure_files(parallel, "result")) == len(allure_files(serial, "result")) > 0
    loaded = next(line for line in parallel.lines if line.startswith("plugins: "))
    assert [name for name in ("cov", "django", "randomly", "rerunfailures", "timeout") if name not in loaded] == []


@pytest.mark.parametrize("project", sorted(PLUGINS))
def test_table_names_real_tests(project: str) -> None:
    for name in PLUGINS[project].tests:
        file, _, function = name.partition("::")
        tree = ast.parse((HERE / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_table_renders_a_row_per_plugin() -> None:
    rows = [line for line in render(PLUGINS).splitlines() if line.startswith("| ") and "| yes |" in line]
    assert len(rows) == len(PLUGINS) == 22
