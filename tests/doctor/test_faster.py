"""Why is it not faster? Imports, shared fixtures, serial tests, resources and memory are named with what they cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import HERE, Doctor
from schema import errors

SCHEMA = json.loads((HERE.parents[1] / "docs" / "doctor.schema.json").read_text())

CONFTEST = """
import time
import pytest

@pytest.fixture(scope="session")
def server():
    time.sleep(0.4)

@pytest.fixture(scope="session")
def application(request):
    time.sleep(0.1)
    request.getfixturevalue("server")
"""
SLOW_IMPORT = """
import time
time.sleep(0.6)

def test_uses_it(application):
    pass
"""
OTHERS = """
import time
import pytest

@pytest.mark.parametrize("number", range(6))
def test_uses_it_too(application, number):
    time.sleep(0.05)

@pytest.mark.serial
@pytest.mark.parametrize("number", range(2))
def test_alone(number):
    time.sleep(0.2)

@pytest.mark.resource("printer")
@pytest.mark.parametrize("number", range(3))
def test_prints(number):
    time.sleep(0.1)
"""


@pytest.fixture
def report(doctor: Doctor) -> tuple[dict[str, Any], str]:
    for name, text in {"conftest": CONFTEST, "test_slow": SLOW_IMPORT, "test_others": OTHERS}.items():
        (doctor.folder / f"{name}.py").write_text(text)
    document = doctor.scratch / "report.md"
    examined = doctor.examine("--rounds", "1", "--workers", "3", "--write", str(document))
    assert examined.code == 0, examined.out + examined.err
    assert errors({"version": 1, "report": examined.report}, SCHEMA, SCHEMA) == []
    return examined.report["faster"], examined.out + document.read_text()


def test_what_is_paid_besides_the_tests_is_named(report: tuple[dict[str, Any], str]) -> None:
    faster, said = report
    # Imports: the file that sleeps, before all others.
    imports = faster["imports"]
    assert imports["files"][0]["path"] == "test_slow.py"
    assert 0.6 <= imports["files"][0]["seconds"] <= imports["seconds"]
    assert imports["files"][0]["share"] <= 1
    assert imports["files"][0]["cpu_seconds"] < imports["files"][0]["seconds"] / 2
    # Fixtures: each worker pays; what a fixture asks for counts for itself.
    fixtures = {each["name"]: each for each in faster["fixtures"]}
    server, application = fixtures["server"], fixtures["application"]
    assert (server["scope"], server["path"]) == ("session", "conftest.py")
    # A worker that has to wait for the printer tears everything down meanwhile.
    assert 1 < server["workers"] <= min(server["times"], 3)
    assert server["seconds"] >= 0.4 and server["total_seconds"] >= 0.4 * server["times"]
    assert 0.1 <= application["seconds"] < server["seconds"] + 0.1
    # Whoever sets it up first is no long test for that.
    assert faster["longest"][0]["id"].startswith("test_others.py::test_alone")
    # Serial tests and resources, and what they bound.
    serial, printer = faster["apart"]
    assert (serial["resource"], serial["tests"]) == (None, 2)
    assert (printer["resource"], printer["tests"], printer["capacity"]) == ("printer", 3, 1)
    assert serial["seconds"] >= 0.4 and printer["seconds"] >= 0.3
    assert abs(serial["most_speedup"] * serial["share"] - 1) < 1e-6
    bounds = {each["by"]: each["seconds"] for each in faster["bounds"]}
    assert bounds["serial"] >= serial["seconds"] and bounds["resource"] >= 0.3 and bounds["fixture"] >= 0.4
    assert faster["limit_seconds"] == pytest.approx(imports["seconds"] + faster["bounds"][0]["seconds"])
    for word in ("test_slow.py", "server", "conftest.py", "printer", "PSS", "(`python -X importtime`"):
        assert word in said, said


def test_each_fix_says_what_it_wins(report: tuple[dict[str, Any], str]) -> None:
    faster, said = report
    wins = faster["wins"]
    assert [each["seconds"] for each in wins] == sorted((each["seconds"] for each in wins), reverse=True)
    (of_import,) = (each for each in wins if each["do"].startswith("import less in test_slow.py"))
    assert of_import["seconds"] == pytest.approx(faster["imports"]["files"][0]["seconds"])
    assert any("serial" in each["do"] for each in wins)
    assert all(0 < each["seconds"] <= faster["limit_seconds"] for each in wins)
    assert all(each["do"] in said for each in wins)


def test_memory_is_told_of_each_worker(report: tuple[dict[str, Any], str]) -> None:
    memory = report[0]["memory"]
    assert len(memory["workers"]) == 3
    assert all(size > 1_000_000 for size in memory["workers"])
    assert 0 < memory["own"] < memory["available"]
    assert memory["room_for"] == memory["available"] // memory["own"]
    assert memory["is_limit"] == (memory["room_for"] < 3)
