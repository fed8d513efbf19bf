"""Reports that plugins write to files hold what those of a serial run hold; only order and times may differ."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from outcomes import normalise

from .lab import SERIAL, Lab, Mode, Run

# What the owner of the terminal adds to a report that came from a worker.
WORKER_FIELDS = {"node", "worker_id", "testrun_uid", "item_index"}
TIMES = {"created", "duration", "msecs", "relativeCreated", "start", "stop"}
PROCESS = {"thread", "threadName", "process", "processName"}


def cleaned(value: Any, dropped: set[str]) -> Any:
    """``value`` without the dropped keys, its texts normalised, texts that this empties left out."""
    if isinstance(value, dict):
        kept = {key: cleaned(each, dropped) for key, each in value.items() if key not in dropped}
        return {key: each for key, each in kept.items() if not (key == "longrepr" and each in ("", None))}
    if isinstance(value, list):
        return [cleaned(each, dropped) for each in value]
    return normalise(value) if isinstance(value, str) else value


def counted(values: list[Any]) -> Counter[str]:
    return Counter(json.dumps(value, sort_keys=True) for value in values)


def assert_counted_same(serial: list[Any], parallel: list[Any]) -> None:
    left, right = counted(serial), counted(parallel)
    assert left - right == Counter(), "missing in the parallel run"
    assert right - left == Counter(), "only in the parallel run"


# ------------------------------------------------------------------ pytest-html


def html_page(run: Run) -> tuple[dict[str, Any], list[str]]:
    text = (run.folder / "report.html").read_text()
    blob = re.search(r'data-jsonblob="([^"]*)"', text)
    assert blob, text
    rest = text.replace(blob.group(0), "")
    visible = [line.strip() for line in rest[rest.index('<div class="summary">') :].splitlines() if line.strip()]
    return json.loads(html.unescape(blob.group(1))), [line for line in visible if "run-count" not in line]


def html_rows(page: dict[str, Any]) -> list[Any]:
    rows = cleaned([row for rows in page["tests"].values() for row in rows], TIMES)
    for row in rows:
        row["resultsTableRow"] = [cell for cell in row["resultsTableRow"] if "col-duration" not in cell]
        # Of a test without output a parallel run still shows the worker's line, which normalising removes.
        row["log"] = row["log"].replace("No log output captured.", "")
    return list(rows)


def test_html_report(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("html", SERIAL), lab.run("html", mode)
    (serial_page, serial_text), (page, text) = html_page(serial), html_page(parallel)
    assert len(html_rows(serial_page)) == 18
    assert_counted_same(html_rows(serial_page), html_rows(page))
    assert page["title"] == "Basket"
    environment = {**page["environment"], "Plugins": None}
    assert environment == {**serial_page["environment"], "Plugins": None}
    assert text == serial_text, "counts, columns or the summary of the project differ"
    written = [line for line in parallel.lines if "Generated html report" in line]
    assert len(written) == 1, parallel.output


# ------------------------------------------------------------------ pytest-json-report


def json_report(run: Run) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((run.folder / "report.json").read_text())
    return report


def test_json_report(lab: Lab, mode: Mode) -> None:
    serial, parallel = (json_report(lab.run("json_report", each)) for each in (SERIAL, mode))
    assert parallel["summary"] == serial["summary"]
    assert parallel["exitcode"] == serial["exitcode"] == 1
    assert parallel["shop"] == "basket"
    assert parallel["root"] == serial["root"]
    assert_counted_same(cleaned(serial["tests"], TIMES | PROCESS), cleaned(parallel["tests"], TIMES | PROCESS))
    assert parallel["warnings"] == serial["warnings"]
    wrong = next(test for test in parallel["tests"] if test["nodeid"].endswith("test_total_is_wrong"))
    assert [record["msg"] for record in wrong["call"]["log"]] == ["price missing"]
    assert wrong["metadata"]["nested"] == {"list": [1, 2.5, None], "flag": True}


# ------------------------------------------------------------------ pytest-reportlog, junit


def log_lines(run: Run, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["$report_type"] == kind]


def test_reportlog(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("reportlog", SERIAL), lab.run("reportlog", mode)
    for kind in ("SessionStart", "SessionFinish", "WarningMessage"):
        assert log_lines(parallel, kind) == log_lines(serial, kind) != [], kind
    tests = log_lines(parallel, "TestReport")
    assert {line["worker_id"] for line in tests} <= {"gw0", "gw1"}
    dropped = TIMES | WORKER_FIELDS
    assert_counted_same(cleaned(log_lines(serial, "TestReport"), dropped), cleaned(tests, dropped))
    assert all(line["duration"] >= 0 and line["start"] <= line["stop"] for line in tests)


def junit(run: Run) -> tuple[dict[str, str], list[Any]]:
    suite = ElementTree.parse(run.folder / "junit.xml").getroot()[0]
    counts = {name: value for name, value in suite.attrib.items() if name not in ("time", "timestamp", "hostname")}
    return counts, [_element(case) for case in suite]


def _element(element: ElementTree.Element) -> list[Any]:
    attributes = {name: normalise(value) for name, value in element.attrib.items() if name != "time"}
    return [element.tag, attributes, normalise(element.text or ""), [_element(child) for child in element]]


def test_junit_xml(lab: Lab, mode: Mode) -> None:
    serial_counts, serial_cases = junit(lab.run("reportlog", SERIAL))
    counts, cases = junit(lab.run("reportlog", mode))
    assert counts == serial_counts
    assert counts["errors"] == "3"
    assert_counted_same(serial_cases, cases)


# ------------------------------------------------------------------ allure-pytest


def allure_files(run: Run, kind: str) -> list[dict[str, Any]]:
    folder = run.folder / "allure-results"
    return [json.loads(path.read_text()) for path in folder.glob(f"*-{kind}.json")]


def allure_cleaned(value: Any, folder: Path) -> Any:
    """A result or fixture with attachments' contents in place of their random names."""
    if isinstance(value, list):
        return [allure_cleaned(each, folder) for each in value]
    if isinstance(value, dict):
        kept = {k: allure_cleaned(v, folder) for k, v in value.items() if k not in ("uuid", "start", "stop")}
        if "source" in kept:
            kept["source"] = normalise((folder / kept["source"]).read_bytes().decode("latin-1"))
        if "labels" in kept:
            labels = (label for label in kept["labels"] if label["name"] != "thread")
            kept["labels"] = sorted(labels, key=lambda label: str(label["name"]))
        return kept
    return normalise(value) if isinstance(value, str) else value


def allure_fixtures(run: Run) -> dict[str, set[str]]:
    """What fixtures did -> the tests they did it for, whatever worker they ran in."""
    names = {
        result["uuid"]: json.dumps([result["fullName"], result.get("parameters")])
        for result in allure_files(run, "result")
    }
    found: dict[str, set[str]] = {}
    for container in allure_files(run, "container"):
        for part in ("befores", "afters"):
            for fixture in container.get(part, ()):
                done = allure_cleaned(fixture, run.folder / "allure-results")
                users = {names[child] for child in container.get("children", ())}
                found.setdefault(json.dumps([part, done], sort_keys=True), set()).update(users)
    return found


def test_allure_results(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("allure", SERIAL), lab.run("allure", mode)
    assert len(allure_files(parallel, "result")) == 16
    assert_counted_same(
        *(allure_cleaned(allure_files(run, "result"), run.folder / "allure-results") for run in (serial, parallel))
    )
    assert allure_fixtures(parallel) == allure_fixtures(serial) != {}


def test_allure_timeline_has_a_line_per_worker(lab: Lab, mode: Mode) -> None:
    parallel = lab.run("allure", mode)
    lines: dict[str, set[str]] = {}
    for result in allure_files(parallel, "result"):
        thread = next(label["value"] for label in result["labels"] if label["name"] == "thread")
        lines.setdefault(thread, set()).add(result["fullName"])
    assert len(lines) == len(parallel.workers) == 2
