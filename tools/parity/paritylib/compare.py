"""Compare what two runs of one suite left behind: every field that the tool promises to compare, in one place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from . import junit, rules
from .model import Difference, Rule, Run
from .records import record_differences


@dataclass(frozen=True)
class Evidence:
    """A run, read and cleaned of what may differ."""

    record: dict[str, Any]
    junit: junit.Junit | None
    leftovers: tuple[str, ...] = ()
    killed: bool = False

    @property
    def tests(self) -> int:
        return len({report["nodeid"] for report in self.record["reports"]})


def read(run: Run, suite_rules: Iterable[Rule], outcomes: ModuleType) -> Evidence:
    """Read the files of a run which ended by itself."""
    clean = rules.cleaner(str(run.folder), (*suite_rules, *rules.COMMON))

    def clean_all(text: str) -> str:
        return str(outcomes.normalise(clean(text)))

    record = rules.clean_strings(json.loads(run.outcomes_file.read_text(encoding="utf-8")), clean)
    return Evidence(record, _read_junit(run, clean_all), run.leftovers)


def _read_junit(run: Run, clean: Callable[[str], str]) -> junit.Junit | None:
    if not run.junit_file.exists():
        return None
    return junit.parse(run.junit_file.read_text(encoding="utf-8"), clean)


KILLED = Evidence({"reports": [], "collect": [], "warnings": [], "exitstatus": None}, None, killed=True)


def compare(serial: Evidence, other: Evidence, outcomes: ModuleType) -> list[Difference]:
    """Everything in which ``other`` disagrees with ``serial``; empty when the two agree."""
    if other.killed or serial.killed:
        if other.killed == serial.killed:
            return []
        who = "the second run" if other.killed else "the first run"
        return [Difference("time limit", f"time limit {who}", f"{who} was killed at the time limit")]
    found = record_differences(serial.record, other.record, outcomes)
    if (serial.junit is None) != (other.junit is None):
        present = other.junit is not None
        found.append(Difference("junit", f"junit file {present}", f"junit file written by the second run: {present}"))
    elif serial.junit is not None and other.junit is not None:
        found += junit.compare(
            serial.junit,
            other.junit,
            other_outcome=_case_names(found, {"phases", "test missing", "test added"}),
            other_text=_case_names(found, {"longrepr", "sections", "user_properties", "wasxfail"}),
        )
    if set(serial.leftovers) != set(other.leftovers):
        detail = f"processes left behind: {list(serial.leftovers)} != {list(other.leftovers)}"
        found.append(Difference("processes", f"processes {sorted(set(other.leftovers))}", detail))
    return found


def _case_names(found: Iterable[Difference], kinds: set[str]) -> set[str]:
    return {junit.case_name(difference.nodeid) for difference in found if difference.kind in kinds}
