"""pytest-cov: the data file and every report hold line for line what a serial run measures."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coverage

from .lab import SERIAL, Lab, Mode, Run, assert_same

STATEMENTS = ("--cov=ledger", "--cov-report=term")
SUBPROCESSES = ("--cov=ledger", "--cov-branch", "--cov-config=subprocess.coveragerc", "--cov-report=term")
LIMIT = ("--cov=ledger", "--cov-report=term", "-k", "deposit or withdraw")


def data_of(run: Run) -> coverage.CoverageData:
    file = run.folder / ".coverage"
    assert file.exists(), run.output
    data = coverage.CoverageData(basename=str(file))
    data.read()
    return data


def measured(run: Run, contexts: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Everything the data file says about every file, for all contexts or the given ones."""
    data = data_of(run)
    data.set_query_contexts(contexts)
    return {
        Path(file).name: {
            "lines": sorted(data.lines(file) or ()),
            "arcs": sorted(data.arcs(file) or ()),
            "contexts": {line: sorted(names) for line, names in data.contexts_by_lineno(file).items()},
        }
        for file in sorted(data.measured_files())
    }


def terminal_table(run: Run) -> list[str]:
    return [line.rstrip() for line in run.lines if re.match(r"(ledger/\S+|TOTAL) +\d", line)]


def test_statements(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("cov", SERIAL, args=STATEMENTS), lab.run("cov", mode, args=STATEMENTS)
    assert_same(serial, parallel)
    assert measured(parallel) == measured(serial)
    assert len(measured(serial)["accounts.py"]["lines"]) > 20
    assert terminal_table(parallel) == terminal_table(serial) != []


def test_branches_and_contexts(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("cov", SERIAL), lab.run("cov", mode)
    assert data_of(parallel).has_arcs()
    assert measured(parallel) == measured(serial)
    contexts = data_of(serial).measured_contexts()
    assert data_of(parallel).measured_contexts() == contexts
    assert "tests/test_accounts.py::test_deposit[10]|run" in contexts
    for context in contexts:
        pattern = [f"^{re.escape(context)}$"]
        assert measured(parallel, pattern) == measured(serial, pattern), context


def test_subprocesses(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("cov", SERIAL, args=SUBPROCESSES), lab.run("cov", mode, args=SUBPROCESSES)
    assert measured(parallel) == measured(serial)
    only_in_subprocess = measured(serial)["export.py"]["lines"]
    without = measured(lab.run("cov", SERIAL))["export.py"]["lines"]
    assert set(only_in_subprocess) > set(without), "the subprocess was not measured serially"


def test_reports(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("cov", SERIAL), lab.run("cov", mode)
    for run in (serial, parallel):
        report = json.loads((run.folder / "coverage.json").read_text())
        assert report["totals"]["covered_branches"] > 0, report["totals"]
    assert report_texts(parallel) == report_texts(serial)
    assert terminal_table(parallel) == terminal_table(serial) != []


def report_texts(run: Run) -> dict[str, str]:
    texts = {name: (run.folder / name).read_text() for name in ("coverage.json", "coverage.xml", "coverage.lcov")}
    texts["coverage.json"] = re.sub(r'"timestamp": "[^"]+"', "", texts["coverage.json"])
    texts["coverage.xml"] = re.sub(r'timestamp="\d+"', "", texts["coverage.xml"])
    return texts


def test_fail_under(lab: Lab, mode: Mode) -> None:
    for limit, status in (("--cov-fail-under=10", 0), ("--cov-fail-under=99", 1)):
        serial, parallel = (lab.run("cov", one, limit, args=LIMIT) for one in (SERIAL, mode))
        assert (serial.returncode, parallel.returncode) == (status, status), parallel.output
        verdict = [line for line in serial.lines if "equired test coverage" in line]
        assert verdict
        assert [line for line in parallel.lines if "equired test coverage" in line] == verdict


def test_no_data_file_is_left(lab: Lab, mode: Mode) -> None:
    for arguments in (None, STATEMENTS, SUBPROCESSES):
        run = lab.run("cov", mode, args=arguments)
        assert [path.name for path in run.folder.glob(".coverage*") if path.name != ".coveragerc"] == [".coverage"]
