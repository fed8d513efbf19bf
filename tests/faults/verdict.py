"""What a finished run said of each test, checked against what it should have run.

Every collected test must have exactly one end: complete (a teardown report), crashed (a report whose phase is "???"),
interrupted (named at the end of the output) or not run (counted there, and named with ``-v``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

_INTERRUPTED = re.compile(r"^-+ outpace: (\d+) interrupted while running -+$")
_NOT_RUN = re.compile(r"^outpace: (\d+) of (\d+) tests were not run$")


@dataclass(frozen=True)
class Run:
    command: Sequence[str]
    code: int
    output: str
    record: dict[str, Any] | None = field(repr=False)
    survivors: list[str] = field(repr=False)
    left_in_temp: list[str] = field(repr=False)

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()

    @property
    def reports(self) -> list[dict[str, Any]]:
        assert self.record is not None, f"no record was written\n{self.output}"
        return list(self.record["reports"])

    @property
    def completed(self) -> Counter[str]:
        return Counter(report["nodeid"] for report in self.reports if report["when"] == "teardown")

    @property
    def crashed(self) -> Counter[str]:
        return Counter(report["nodeid"] for report in self.reports if report["when"] == "???")

    @property
    def crash_texts(self) -> dict[str, str]:
        return {report["nodeid"]: report["longrepr"] for report in self.reports if report["when"] == "???"}

    @property
    def interrupted(self) -> list[str]:
        for number, line in enumerate(self.lines):
            found = _INTERRUPTED.match(line)
            if found:
                return self.lines[number + 1 : number + 1 + int(found[1])]
        return []

    @property
    def not_run(self) -> int:
        return sum(int(found[1]) for found in map(_NOT_RUN.match, self.lines) if found)

    def assert_clean(self) -> None:
        """Nothing of the run is left: no process, no file, no folder."""
        assert not self.survivors, "\n".join([*self.survivors, self.output])
        assert not self.left_in_temp, f"{self.left_in_temp}\n{self.output}"

    def assert_accounted(self, collection: Iterable[str], *, times: int = 1) -> None:
        """Each test has exactly one end, or ``times`` ends in a run where each worker runs all tests."""
        expected = Counter(dict.fromkeys(collection, times))
        broken, completed = self.crashed + Counter(self.interrupted), self.completed
        ends = broken + completed
        for nodeid in ends:
            # A test may die or be interrupted after its last report: in a hook that follows, or in reporting.
            same = min(broken[nodeid], completed[nodeid], ends[nodeid] - times)
            ends[nodeid] -= max(same, 0)
        twice = ends - expected
        assert not twice, f"more than one end: {dict(twice)}\n{self.output}"
        missing = expected - ends
        assert len(missing) == self.not_run, f"without an end, and not told: {dict(missing)}\n{self.output}"

    def assert_says(self, *texts: str) -> None:
        for text in texts:
            assert text in self.output, f"{text!r} is not said\n{self.output}"
