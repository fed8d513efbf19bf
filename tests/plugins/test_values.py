"""What the remaining plugins are for: databases, snapshots, statistics, subtests, metadata, disabled benchmarks."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from outcomes import REPORT_FIELDS

from .lab import SERIAL, XDIST, Lab, Mode, Run, assert_same

OLD_SUBTESTS = ("-p", "no:subtests", "-p", "pytest_subtests.plugin")
DISABLED = "Benchmarks are automatically disabled because xdist plugin is active"


def json_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_django_gives_every_worker_its_database(lab: Lab, mode: Mode) -> None:
    run = lab.run("django", mode)
    notes = json_lines(run.folder / "databases.jsonl")
    assert {note["worker"]: note["name"] for note in notes} == {
        worker: f"test_shop.sqlite3_{worker}" for worker in ("gw0", "gw1")
    }, run.output
    assert len({note["pid"] for note in notes}) == len(notes) == 2
    assert run.workers == {"gw0", "gw1"}
    left = [path.name for path in run.folder.glob("*.sqlite3*")]
    assert not left, "a test database was not destroyed"


# ------------------------------------------------------------------ pytest-benchmark


def test_benchmarks_are_disabled_with_a_notice(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("benchmark", SERIAL), lab.run("benchmark", mode)
    assert DISABLED not in serial.output
    assert "Rounds" in serial.stdout, "the serial run measured nothing"
    assert parallel.output.count(DISABLED) == 1, parallel.output
    assert "Rounds" not in parallel.stdout
    for option in ("--benchmark-disable", "--benchmark-skip"):
        assert DISABLED not in lab.run("benchmark", mode, option).output


def test_benchmark_only_is_refused(lab: Lab, mode: Mode) -> None:
    for each in (XDIST, mode):
        run = lab.run("benchmark", each, "--benchmark-only")
        assert run.returncode == 4, run.output
        assert "Can't have both --benchmark-only and --benchmark-disable options" in run.stderr


# ------------------------------------------------------------------ pytest-bdd


def test_bdd_reports_are_what_xdist_gives(lab: Lab, mode: Mode) -> None:
    features = json.loads((lab.run("bdd", SERIAL).folder / "cucumber.json").read_text())
    assert [feature["name"] for feature in features] == ["Basket", "Receipt"]
    for each in (XDIST, mode):
        assert json.loads((lab.run("bdd", each).folder / "cucumber.json").read_text()) == []
        refused = lab.run("bdd", each, "--gherkin-terminal-reporter")
        assert refused.returncode == 4, refused.output
        assert "gherkin-terminal-reporter is not compatible with 'xdist' plugin" in refused.stderr


# ------------------------------------------------------------------ pytest-subtests


def kinds(run: Run) -> Counter[tuple[str, str]]:
    return Counter((report["type"], report["outcome"]) for report in run.record["reports"] if report["when"] == "call")


def test_subtests_are_counted(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("subtests", SERIAL), lab.run("subtests", mode)
    assert kinds(parallel) == kinds(serial)
    assert kinds(serial)["SubtestReport", "failed"] == 6
    assert kinds(serial)["SubtestReport", "passed"] > 6
    assert "subtests passed" in parallel.last_line
    failed = [sorted(line for line in run.lines if line.startswith("SUBFAILED")) for run in (serial, parallel)]
    assert failed[0] == failed[1] != []


def test_subtests_of_the_plugin(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("subtests", each, args=OLD_SUBTESTS, load=()) for each in (SERIAL, mode))
    # The plugin prints its progress, with a percentage that depends on the order, into what the test captured.
    assert_same(serial, parallel, fields=tuple(field for field in REPORT_FIELDS if field != "sections"))
    assert kinds(parallel) == kinds(serial)
    assert kinds(serial)["SubTestReport", "failed"] > 0, serial.output


# ------------------------------------------------------------------ hypothesis


def statistics(run: Run) -> dict[str, list[str]]:
    """Test -> its statistics, without times and counts.

    The counts are not equal where outpace is installed for development: Hypothesis draws constants from every module
    that lies outside ``site-packages``, and so makes other examples of the same seed.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for line in run.section("Hypothesis Statistics"):
        if re.match(r"test_\S+:$", line):
            name = line[:-1]
            found[name] = []
        elif name and not re.search(r"runtimes|passing,|shrinks|%", line):
            found[name].append(re.sub(r"\([\d.]+ seconds\)", "", line.strip()))
    return found


def test_hypothesis_statistics(lab: Lab, mode: Mode) -> None:
    serial, parallel = statistics(lab.run("hypothesis", SERIAL)), statistics(lab.run("hypothesis", mode))
    assert len(serial) == 11
    assert "- Found 1 distinct error in this phase" in serial["test_codec.py::test_average_is_below_50"]
    assert parallel == serial


def saved_examples(run: Run) -> int:
    return sum(1 for path in (run.folder / ".hypothesis" / "examples").rglob("*") if path.is_file())


def test_hypothesis_keeps_failing_examples(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("hypothesis", each, args=("-k", "below_50 or alternate")) for each in (SERIAL, mode))
    assert saved_examples(serial) > 0
    assert saved_examples(parallel) > 0
    assert serial.calls() == parallel.calls()
    assert sorted(serial.calls().values()) == ["failed", "passed"]


# ------------------------------------------------------------------ syrupy


def snapshots(run: Run) -> dict[str, str]:
    folder = run.folder / "__snapshots__"
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_syrupy_report(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("syrupy", each).section("snapshot report summary") for each in (SERIAL, mode))
    assert serial[0] == "2 snapshots failed. 10 snapshots passed. 2 snapshots unused."
    assert parallel == serial
    assert snapshots(lab.run("syrupy", mode)) == snapshots(lab.run("syrupy", SERIAL))


def test_syrupy_update(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("syrupy", each, "--snapshot-update") for each in (SERIAL, mode))
    assert_same(serial, parallel)
    assert parallel.returncode == 0
    assert snapshots(parallel) == snapshots(serial) != snapshots(lab.run("syrupy", SERIAL))
    assert parallel.section("snapshot report summary") == serial.section("snapshot report summary") != []


# ------------------------------------------------------------------ pytest-metadata


def test_metadata_comes_back_from_every_worker(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("metadata", SERIAL), lab.run("metadata", mode)
    nodes = json_lines(parallel.folder / "nodes.jsonl")
    assert sorted(str(node["mine"]) for node in nodes) == ["gw0", "gw1"]
    assert all("From worker" in str(node["metadata"]) for node in nodes), nodes
    own, returned = (json.loads((run.folder / "metadata.json").read_text()) for run in (serial, parallel))
    assert returned.pop("From worker") == "yes"
    assert {**returned, "Plugins": None} == {**own, "Plugins": None}
    header = [line for line in parallel.lines if line.startswith("metadata: ")]
    assert len(header) == 1
    assert "'Build': '17'" in header[0]
    assert "Secret" not in header[0]
