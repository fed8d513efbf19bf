"""Record what a pytest run reported, and compare two records.

Two halves, used by every differential test and by the parity tool:

* a pytest plugin (``-p outcomes`` with ``tests/support`` on ``PYTHONPATH`` and ``OUTCOMES_FILE`` set) that writes
  everything the *controller or serial* session reported to a JSON file;
* :func:`load` and :func:`differences`, which compare two such files.

It never judges: a caller says which fields may differ, and why.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

# ---------------------------------------------------------------- plugin half


class Recorder:
    def __init__(self, path: str) -> None:
        self.path = path
        self.reports: list[dict[str, Any]] = []
        self.collect: list[dict[str, Any]] = []
        self.warnings: list[dict[str, Any]] = []
        self.exitstatus: int | None = None
        self.testscollected = 0

    def pytest_runtest_logreport(self, report: Any) -> None:
        longrepr = report.longrepr
        self.reports.append(
            {
                "nodeid": report.nodeid,
                "when": report.when,
                "outcome": report.outcome,
                "wasxfail": getattr(report, "wasxfail", None),
                "longrepr": longrepr if isinstance(longrepr, (tuple, list)) else report.longreprtext,
                "sections": [list(section) for section in report.sections],
                "user_properties": [[name, repr(value)] for name, value in report.user_properties],
                "location": list(report.location),
                "keywords": sorted(map(str, report.keywords)),
                "type": type(report).__name__,
                "worker": getattr(report, "worker_id", None),
                "duration": getattr(report, "duration", None),
                "start": getattr(report, "start", None),
                "stop": getattr(report, "stop", None),
            }
        )

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            longrepr = report.longrepr
            self.collect.append(
                {
                    "nodeid": report.nodeid,
                    "outcome": report.outcome,
                    "longrepr": list(longrepr) if isinstance(longrepr, tuple) else report.longreprtext,
                }
            )

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        self.warnings.append(
            {
                "category": warning_message.category.__name__,
                "message": str(warning_message.message),
                "file": os.path.basename(warning_message.filename),
                "line": warning_message.lineno,
                "when": when,
                "nodeid": nodeid,
            }
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: Any) -> None:
        self.exitstatus = int(exitstatus)
        self.testscollected = session.testscollected

    def pytest_unconfigure(self) -> None:
        data = {
            "reports": self.reports,
            "collect": self.collect,
            "warnings": self.warnings,
            "exitstatus": self.exitstatus,
            "testscollected": self.testscollected,
        }
        Path(self.path).write_text(json.dumps(data))


def pytest_cmdline_main(config: Any) -> None:
    path = os.environ.get("OUTCOMES_FILE")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path), "outcomes-recorder")


# ---------------------------------------------------------------- compare half

# What two runs of one suite may differ in although nothing is wrong.
_VOLATILE = (
    (re.compile(r"0x[0-9a-fA-F]{6,}"), "0x…"),
    (re.compile(r"/[^\s'\"]*/pytest-of-[^/\s]+/pytest-\d+(/popen-gw\d+)?"), "<basetemp>"),
    (re.compile(r"/[^\s'\"]*/basetemp[^/\s'\"]*(/popen-gw\d+)?"), "<basetemp>"),
    (re.compile(r"^\[gw\d+\] \S+ -- Python .*$", re.M), ""),
    (re.compile(r"\bgw\d+\b"), "gw#"),
    (re.compile(r"\b\d+\.\d+(e-\d+)? ?s(econds)?\b"), "#s"),
)


def normalise(text: str) -> str:
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return text.strip()


def load(path: str | Path) -> dict[str, Any]:
    return json.loads(Path(path).read_text())  # type: ignore[no-any-return]


def _text(value: Any) -> str:
    return normalise(value if isinstance(value, str) else json.dumps(value))


def _by_test(record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    tests: dict[str, list[dict[str, Any]]] = {}
    for report in record["reports"]:
        tests.setdefault(report["nodeid"], []).append(report)
    return tests


def outcome_table(record: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """node id -> [(phase, outcome)], in the order reported."""
    return {
        nodeid: [
            (r["when"], "xfailed" if r["wasxfail"] is not None and r["outcome"] == "skipped" else r["outcome"])
            for r in reports
        ]
        for nodeid, reports in _by_test(record).items()
    }


REPORT_FIELDS = ("longrepr", "sections", "user_properties", "location", "keywords", "wasxfail", "type")


def differences(
    serial: dict[str, Any],
    parallel: dict[str, Any],
    *,
    fields: tuple[str, ...] = REPORT_FIELDS,
    warnings: bool = True,
    exitstatus: bool = True,
) -> list[str]:
    """One line per difference between two records; empty when they agree."""
    found: list[str] = []
    left, right = _by_test(serial), _by_test(parallel)
    for nodeid in left.keys() - right.keys():
        found.append(f"{nodeid}: reported only by the first run")
    for nodeid in right.keys() - left.keys():
        found.append(f"{nodeid}: reported only by the second run")
    for nodeid in sorted(left.keys() & right.keys()):
        a = [(r["when"], r["outcome"]) for r in left[nodeid]]
        b = [(r["when"], r["outcome"]) for r in right[nodeid]]
        if a != b:
            found.append(f"{nodeid}: {a} != {b}")
            continue
        for one, two in zip(left[nodeid], right[nodeid]):
            for field in fields:
                if _text(one[field]) != _text(two[field]):
                    left_text, right_text = _text(one[field])[:2000], _text(two[field])[:2000]
                    found.append(f"{nodeid} [{one['when']}] {field}:\n    {left_text}\n    {right_text}")
    if Counter(_text(c) for c in serial["collect"]) != Counter(_text(c) for c in parallel["collect"]):
        found.append(f"collect reports: {serial['collect']} != {parallel['collect']}")
    if warnings:
        a_warn, b_warn = (Counter(_text(w) for w in record["warnings"]) for record in (serial, parallel))
        for text, count in (a_warn - b_warn).items():
            found.append(f"warning missing in the second run ({count}x): {text}")
        for text, count in (b_warn - a_warn).items():
            found.append(f"warning added in the second run ({count}x): {text}")
    if exitstatus and serial["exitstatus"] != parallel["exitstatus"]:
        found.append(f"exit status {serial['exitstatus']} != {parallel['exitstatus']}")
    return found
