"""pytest-sugar and pytest-instafail replace the terminal reporter: what they print, and when."""

from __future__ import annotations

import re
from collections import Counter

from outcomes import normalise

from .lab import SERIAL, XDIST, Lab, Mode, Run

FAILURES = [
    "ERROR at setup of test_store",
    "ERROR at teardown of test_fails_then_breaks",
    "ERROR at teardown of test_passes_then_breaks",
    "test_bad_quantity",
    "test_fails_then_breaks",
    "test_total_is_wrong",
]


def blocks(run: Run, ruler: str) -> list[tuple[int, str]]:
    """Line number and title of every failure printed."""
    pattern = re.compile(rf"^{ruler}{{4,}} (.+?) {ruler}{{4,}}$")
    matches = ((number, pattern.match(line)) for number, line in enumerate(run.lines))
    return [(number, match.group(1)) for number, match in matches if match]


def still_lines(run: Run) -> Counter[str]:
    """What a run prints, without progress, and without what two engines may say differently in the header."""
    varies = re.compile(
        r"\d+%[ \]]|^\s*test_\w+\.py |^[.FEsxX]+$|^outpace |^plugins: |^created: |Results \(|^\$ |^=+ .* =+$"
    )
    return Counter(normalise(line) for line in run.lines if line.strip() and not varies.search(line))


def test_instafail_prints_failures_at_once(lab: Lab, mode: Mode) -> None:
    parallel = lab.run("instafail", mode)
    printed = blocks(parallel, "_")
    assert sorted(title for _, title in printed) == FAILURES, parallel.output
    progress = [number for number, line in enumerate(parallel.lines) if line.startswith("test_basket.py ")]
    assert printed[0][0] < progress[-1], "failures came at the end, not at once"
    for number, title in printed:
        assert re.match(r"\[gw\d+\] ", parallel.lines[number + 1]), title
    assert not any(re.match(r"=+ (FAILURES|ERRORS) =+$", line) for line in parallel.lines)
    assert still_lines(parallel) == still_lines(lab.run("instafail", XDIST))


def test_sugar_prints_every_test(lab: Lab, mode: Mode) -> None:
    parallel = lab.run("sugar", mode)
    assert sorted(title for _, title in blocks(parallel, "―")) == FAILURES, parallel.output
    percents = [int(found) for line in parallel.lines for found in re.findall(r"\b(\d+)% ", line)]
    assert percents == sorted(percents)
    assert percents[-1] == 100, parallel.output
    assert still_lines(parallel) == still_lines(lab.run("sugar", XDIST))


def sugar_counts(run: Run) -> list[str]:
    start = next(number for number, line in enumerate(run.lines) if line.startswith("Results ("))
    return [line.strip() for line in run.lines[start + 1 :] if line.strip()]


def test_sugar_counts(lab: Lab, mode: Mode) -> None:
    serial, parallel = lab.run("sugar", SERIAL), lab.run("sugar", mode)
    counts = sugar_counts(serial)
    assert any("passed" in line for line in counts), serial.output
    assert sorted(sugar_counts(parallel)) == sorted(counts)
