"""Turn results into the Markdown table and the JSON document. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .model import Difference, Mode, Suite, Verdicts

_SHOWN = 20  # differences printed per suite and verdict; the JSON holds all
_WIDTH = 600


@dataclass
class ModeResult:
    mode: Mode
    seconds: float
    verdicts: Verdicts
    column: Mode  # what was asked for, and where it is shown


@dataclass
class SuiteResult:
    suite: Suite
    tests: int = 0
    failing: int = 0  # tests that fail when run serially; they are compared like all others
    serial_seconds: float = 0.0
    modes: list[ModeResult] = field(default_factory=list)
    error: str = ""

    def count(self, pick: Callable[[Verdicts], Sequence[Difference]]) -> int:
        """Different differences: one that every mode shows counts once."""
        return len({difference.key for result in self.modes for difference in pick(result.verdicts)})


def _ours(verdicts: Verdicts) -> Sequence[Difference]:
    return verdicts.ours


def _xdist(verdicts: Verdicts) -> Sequence[Difference]:
    return verdicts.xdist


def _flaky(verdicts: Verdicts) -> Sequence[Difference]:
    return verdicts.flaky


def exit_code(results: Iterable[SuiteResult]) -> int:
    """1: a difference of ours. 2: a suite could not be judged. 0: neither."""
    results = list(results)
    if any(result.count(_ours) for result in results):
        return 1
    return 2 if not results or any(result.error for result in results) else 0


def markdown(results: Sequence[SuiteResult], modes: Sequence[Mode]) -> str:
    head = ["suite", "version", "tests", "serial s", *(f"{mode.label} s" for mode in modes), "ours", "xdist", "flaky"]
    lines = [_row(head), _row(["---", "---", *("---:" for _ in head[2:])])]
    for result in results:
        tests = f"{result.tests} ({result.failing} failing)" if result.failing else str(result.tests)
        seconds = {entry.column: _seconds(entry) for entry in result.modes}
        cells = [result.suite.name, result.suite.version, tests, f"{result.serial_seconds:.1f}"]
        cells += [seconds.get(mode, "-") for mode in modes]
        cells += ["error"] * 3 if result.error else [str(result.count(pick)) for pick in (_ours, _xdist, _flaky)]
        lines.append(_row(cells))
    for result in results:
        if result.error:
            lines += ["", f"### {result.suite.name}: not judged", "", "```", result.error, "```"]
        for title, pick in (("ours", _ours), ("also under xdist", _xdist), ("also between serial runs", _flaky)):
            lines += _details(result, title, pick)
    return "\n".join(lines) + "\n"


def _seconds(entry: ModeResult) -> str:
    return f"{entry.seconds:.1f}" + (f" ({entry.mode.start_method})" if entry.mode != entry.column else "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _details(result: SuiteResult, title: str, pick: Callable[[Verdicts], Sequence[Difference]]) -> list[str]:
    seen: dict[str, tuple[list[str], Difference]] = {}
    for entry in result.modes:
        for difference in pick(entry.verdicts):
            seen.setdefault(difference.key, ([], difference))[0].append(entry.mode.label)
    if not seen:
        return []
    lines = ["", f"### {result.suite.name}: {title} ({len(seen)})", ""]
    for labels, difference in list(seen.values())[:_SHOWN]:
        detail = difference.detail if len(difference.detail) <= _WIDTH else difference.detail[:_WIDTH] + " …"
        lines += [f"{difference.kind} ({', '.join(labels)})", "```", detail, "```"]
    if len(seen) > _SHOWN:
        lines.append(f"… and {len(seen) - _SHOWN} more, in the JSON file")
    return lines


def as_json(results: Sequence[SuiteResult]) -> dict[str, Any]:
    return {
        "suites": [
            {
                "name": result.suite.name,
                "version": result.suite.version,
                "tests": result.tests,
                "failing_serially": result.failing,
                "serial_seconds": round(result.serial_seconds, 3),
                "error": result.error,
                "modes": [
                    {
                        **asdict(entry.mode),
                        "seconds": round(entry.seconds, 3),
                        "differences": {
                            "ours": [asdict(d) for d in entry.verdicts.ours],
                            "xdist": [asdict(d) for d in entry.verdicts.xdist],
                            "flaky": [asdict(d) for d in entry.verdicts.flaky],
                        },
                    }
                    for entry in result.modes
                ],
            }
            for result in results
        ]
    }
