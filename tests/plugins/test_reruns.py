"""pytest-rerunfailures: reruns happen and are counted as in a serial run, also of tests that killed their worker."""

from __future__ import annotations

import re
from collections import Counter

from .lab import SERIAL, Lab, Mode, Run, assert_same

RERUNS = {
    "test_flaky.py::test_second_time": 1,
    "test_flaky.py::test_third_time": 2,
    "test_flaky.py::test_never": 2,
    "test_flaky.py::test_with_delay": 1,
    "test_flaky.py::test_only_some_errors[ConnectionError]": 1,
    "test_flaky.py::test_setup_fails_once": 1,
}
BY_OPTION = ("-k", "no_mark or steady", "--reruns", "1", "-rR")
CRASHES = ("-m", "crashes", "-rR")


def reruns(run: Run) -> Counter[str]:
    return Counter(report["nodeid"] for report in run.record["reports"] if report["outcome"] == "rerun")


def summary(run: Run) -> list[str]:
    return sorted(line for line in run.lines if re.match(r"(RERUN|PASSED|FAILED) test_", line))


def test_reruns_are_counted(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("rerunfailures", SERIAL), lab.run("rerunfailures", mode)
    assert reruns(serial) == reruns(parallel) == RERUNS
    assert summary(parallel) == summary(serial) != []
    assert "8 rerun" in parallel.last_line
    attempts = sorted(
        (r["start"], r["stop"])
        for r in parallel.record["reports"]
        if r["nodeid"] == "test_flaky.py::test_with_delay" and r["when"] == "call"
    )
    assert attempts[1][0] - attempts[0][1] >= 0.1, "the delay between two attempts was not kept"


def test_option_reruns_everything(lab: Lab, mode: Mode) -> None:
    serial, parallel = (lab.run("rerunfailures", each, args=BY_OPTION) for each in (SERIAL, mode))
    assert_same(serial, parallel)
    assert reruns(parallel) == {"test_flaky.py::test_no_mark": 1}
    assert parallel.returncode == 0


def test_crashed_tests_are_rerun(lab: Lab, mode: Mode) -> None:
    run = lab.run("rerunfailures", mode, args=CRASHES)
    outcome: dict[str, list[str]] = {}
    for report in run.record["reports"]:
        if report["when"] in ("call", "???"):
            outcome.setdefault(report["nodeid"].partition("::")[2], []).append(report["outcome"])
    assert outcome == {
        "test_crashes_once": ["rerun", "passed"],
        "test_crashes_always": ["rerun", "failed"],
        "test_crashes_and_may_not_again": ["failed"],
        **{f"test_bystander[{number}]": ["passed"] for number in range(5)},
    }, run.output
    assert run.closing_counts() == "2 failed, 6 passed, 2 rerun"
    assert run.returncode == 1
    attempts = {path.name: path.stat().st_size for path in (run.folder / "attempts").iterdir()}
    assert attempts == {"test_crashes_once": 2, "test_crashes_always": 2, "test_crashes_and_may_not_again": 1}


def test_outpaces_own_retry_comes_after_the_reruns(lab: Lab, mode: Mode) -> None:
    """Two reruns in the worker, then once more alone, with two reruns again."""
    run = lab.run("rerunfailures", mode, args=("-k", "never", "--retry-alone"))
    assert reruns(run) == {"test_flaky.py::test_never": 5}
    assert run.closing_counts() == "1 failed, 5 rerun", run.output
