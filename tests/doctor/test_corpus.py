"""Small suites that pass serially, one for each kind of conflict: the doctor names the tests, the thing and the fix."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import CORPUS

# How much of the CPU a test gets is not to be told apart from what the rest of the machine does.
ALONE = {"timing"}
SUITES = [
    pytest.param(path.name, marks=[pytest.mark.serial] if path.name in ALONE else [])
    for path in sorted(CORPUS.iterdir())
    if path.is_dir()
]
CALM = 0.75


def share() -> float:
    """How much of one CPU a process gets at the moment."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    try:
        cpu, wall = time.process_time(), time.monotonic()
        while time.process_time() - cpu < 0.2:
            pass
        return 0.2 / (time.monotonic() - wall)
    finally:
        os.sched_setaffinity(0, cpus)


def until_calm() -> None:
    for _ in range(30):
        if share() > CALM:
            return
        time.sleep(1)
    pytest.skip("the machine is so busy that time depends on that")


@pytest.mark.parametrize("name", SUITES)
def test_the_conflict_is_named(name: str, doctor_on: Any) -> None:
    expected = json.loads((CORPUS / name / "expected.json").read_text())
    if name in ALONE:
        until_calm()
    doctor = doctor_on(CORPUS / name)
    examined = doctor.examine("--rounds", "2", *expected.get("args", ()))
    assert examined.code == 0, examined.out + examined.err
    matching = [finding for finding in examined.findings if _matches(finding, expected)]
    if name in ALONE and not matching and share() < CALM:
        pytest.skip("the machine has become busy meanwhile")
    assert matching, examined.out
    others = [finding for finding in examined.findings if finding not in matching and finding["class"] != "leak"]
    assert not [finding for finding in others if _which(finding) not in expected.get("also", ())], examined.out
    if expected["class"] not in ("parallel-only", "order", "alone", "time"):
        return
    assert "Remembered: " in examined.out
    for _ in range(2):
        done = doctor.parallel()
        assert done.returncode == 0, examined.out + done.stdout
        assert "kept apart, as `outpace doctor` found them" in done.stdout


def _which(finding: dict[str, Any]) -> list[str]:
    """A suite that has a second conflict, which not every examination comes upon, has it under `also`."""
    thing = finding["on"] or {"kind": "", "name": ""}
    return [finding["class"], thing["kind"], thing["name"]]


def _matches(finding: dict[str, Any], expected: dict[str, Any]) -> bool:
    thing = finding["on"] or {"kind": None, "name": None}
    named = {side["id"] for side in finding["sides"]} | {test["id"] for test in finding["tests"]}
    return (
        finding["class"] == expected["class"]
        and thing["kind"] == expected["kind"]
        and (thing["name"] == expected["name"] or Path(thing["name"] or "").name == (expected["name"] or thing["name"]))
        and set(expected["tests"]) <= named
        and set(expected.get("places", ())) <= {side["place"] for side in finding["sides"]}
        and any(expected["advice"] in line for line in finding["advice"])
    )
