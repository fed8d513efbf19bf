"""Small suites that pass serially, one for each kind of conflict: the doctor names the tests, the thing and the fix."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import CORPUS

SUITES = sorted(path.name for path in CORPUS.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", SUITES)
def test_the_conflict_is_named(name: str, doctor_on: Any) -> None:
    if name == "timing" and os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        pytest.skip("the machine is so busy that time depends on it")
    expected = json.loads((CORPUS / name / "expected.json").read_text())
    doctor = doctor_on(CORPUS / name)
    examined = doctor.examine("--rounds", "2", *expected.get("args", ()))
    assert examined.code == 0, examined.out + examined.err
    matching = [finding for finding in examined.findings if _matches(finding, expected)]
    assert matching, examined.out
    others = [finding for finding in examined.findings if finding not in matching and finding["class"] != "leak"]
    assert not others, examined.out
    if expected["class"] not in ("parallel-only", "order", "alone", "time"):
        return
    assert "Remembered: " in examined.out
    for _ in range(2):
        done = doctor.parallel(*expected.get("args", ()))
        assert done.returncode == 0, examined.out + done.stdout
        assert "kept apart, as `outpace doctor` found them" in done.stdout


def _matches(finding: dict[str, Any], expected: dict[str, Any]) -> bool:
    thing = finding["on"] or {"kind": None, "name": None}
    named = {side["id"] for side in finding["sides"]} | {test["id"] for test in finding["tests"]}
    return (
        finding["class"] == expected["class"]
        and thing["kind"] == expected["kind"]
        and (thing["name"] == expected["name"] or Path(thing["name"] or "").name == (expected["name"] or thing["name"]))
        and set(expected["tests"]) <= named
        and any(expected["advice"] in line for line in finding["advice"])
    )
