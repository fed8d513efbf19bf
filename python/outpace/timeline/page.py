"""The timeline as one HTML page with a drawing in it, that needs nothing else: what ran where, and where time went."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from .record import BAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .record import Record, Test

_WIDTH, _LEFT, _ROW, _BAR = 1400, 70, 22, 16
# Narrower than a pixel: tests side by side are drawn as one bar.
_NARROW = 1.0
_LONGEST = 20
_TICKS = 10

_STYLE = """
:root { color-scheme: light dark; --text: #1c1c1c; --back: #fff; --line: #d5d5d5; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e4e4; --back: #17191c; --line: #3c4046; } }
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5em; color: var(--text); background: var(--back); }
svg { width: 100%; min-width: 900px; height: auto; } .scroll { overflow-x: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--text); }
table { border-collapse: collapse; margin: .6em 0 1.6em; } th { text-align: left; }
td, th { padding: .15em .9em .15em 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.passed { fill: #4c9a5f; background: #4c9a5f; } .skipped { fill: #b9b9a0; background: #b9b9a0; }
.bad { fill: #d0342c; background: #d0342c; } .serial { fill: #3b6fb6; background: #3b6fb6; }
.again { fill: #d99a1c; background: #d99a1c; } .start { fill: #9a86c4; background: #9a86c4; }
.wait { fill: #f0c9a0; background: #f0c9a0; } .rest { fill: #dedede; background: #dedede; }
.debugger { fill: #c05bb0; background: #c05bb0; }
.key span { display: inline-block; width: 1em; height: .8em; margin: 0 .4em 0 1.2em; }
"""
_KEY = (
    ("passed", "passed"),
    ("bad", "failed, crashed, over the limit"),
    ("skipped", "skipped or expected to fail"),
    ("again", "failed and ran again"),
    ("serial", "serial"),
    ("start", "start and collection"),
    ("wait", "waits"),
    ("rest", "nothing left to do"),
)


class Bar(NamedTuple):
    start: float
    stop: float
    kind: str
    title: str


def render(record: Record) -> str:
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Timeline of a test run</title>',
        f"<style>{_STYLE}</style></head><body>",
        "<h1>Timeline of a test run</h1>",
        *(f"<p>{escape(line)}</p>" for line in _facts(record)),
        '<p class="key">' + "".join(f'<span class="{kind}"></span>{text}' for kind, text in _KEY) + "</p>",
        '<div class="scroll">',
        *_drawing(record),
        "</div>",
        "<h2>Where the time of the workers went</h2>",
        *_shares(record),
        *_notable(record),
        f"<h2>The longest tests</h2>{_tests(sorted(record.tests, key=_seconds, reverse=True)[:_LONGEST])}",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _facts(record: Record) -> Iterator[str]:
    when = datetime.fromtimestamp(record.begin).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    outcomes = Counter(test.outcome for test in record.tests)
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    count = len(record.lanes)
    yield (
        f"{when}: {told or 'no test ran'}; {_time(record.end - record.begin)} in all on {count} "
        f"worker{'s' if count != 1 else ''}."
    )
    if record.collected is not None:
        yield f"The first test could start {_time(_first(record) - record.begin)} after the begin."
    if record.tests:
        yield from _side_by_side(record.tests)


def _side_by_side(tests: list[Test]) -> Iterator[str]:
    """How many tests ran at once, and since when no two did."""
    seconds = sum(map(_seconds, tests))
    first, last = min(test.start for test in tests), max(test.stop for test in tests)
    yield f"{seconds / max(last - first, 0.001):.1f} tests ran at once, on average."
    changes = sorted([(test.start, 1) for test in tests] + [(test.stop, -1) for test in tests])
    running, alone = 0, first
    for at, change in changes:
        if running > 1:
            alone = at
        running += change
    if last - alone > 0.1 * (last - first):
        longest = max((test for test in tests if test.stop > alone), key=_seconds)
        yield (
            f"In the last {_time(last - alone)} no two tests ran side by side. The longest of them is "
            f"{longest.nodeid} ({_time(_seconds(longest))})."
        )


def _first(record: Record) -> float:
    return min((test.start for test in record.tests), default=record.collected or record.begin)


# ---------------------------------------------------------------- the drawing


def _drawing(record: Record) -> Iterator[str]:
    span = max(record.end - record.begin, 0.001)
    scale = (_WIDTH - _LEFT - 10) / span
    height = _ROW * len(record.lanes) + 24

    def x(at: float) -> float:
        return _LEFT + min(max(at - record.begin, 0.0), span) * scale

    yield f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="what each worker did when">'
    step = _round(span / _TICKS)
    for tick in range(int(span / step) + 1):
        at = x(record.begin + step * tick)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="14" y2="{height}" stroke="var(--line)"/>'
        yield f'<text x="{at:.1f}" y="10" text-anchor="middle">{_time(step * tick)}</text>'
    bars = _bars(record, _NARROW / scale)
    for row, lane in enumerate(record.lanes):
        top = 18 + row * _ROW
        yield f'<text x="2" y="{top + 12}">gw{lane.number}</text>'
        for bar in bars[lane.number]:
            left = x(bar.start)
            width = max(x(bar.stop) - left, _NARROW)
            title = escape(bar.title)
            yield (
                f'<rect class="{bar.kind}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_BAR}">'
                f"<title>{title}</title></rect>"
            )
    for moment in record.moments:
        row = next((row for row, lane in enumerate(record.lanes) if lane.number == moment.worker), 0)
        yield (
            f'<text x="{x(moment.at):.1f}" y="{18 + row * _ROW + 12}" text-anchor="middle">&#9650;'
            f"<title>{escape(f'{moment.name}: {moment.detail}')}</title></text>"
        )
    yield "</svg>"


def _round(step: float) -> float:
    """The next of 1, 2, 5, 10, 20 …"""
    size = 10.0 ** math.floor(math.log10(step))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= step * 0.999)


def _bars(record: Record, narrow: float) -> dict[int, list[Bar]]:
    bars: dict[int, list[Bar]] = defaultdict(list)
    for lane in record.lanes:
        if lane.ready is not None:
            bars[lane.number].append(Bar(lane.announced, lane.ready, "start", "starts"))
    for wait in record.waits:
        kind = "rest" if wait.why == "tests" else "wait"
        bars[wait.worker].append(Bar(wait.start, wait.stop, kind, f"{wait.text}, {_time(wait.stop - wait.start)}"))
    by_worker: dict[int, list[Test]] = defaultdict(list)
    for test in record.tests:
        by_worker[test.worker].append(test)
    for worker, tests in by_worker.items():
        bars[worker] += _joined(tests, narrow)
    for lent in record.lent:
        bars[lent.worker].append(Bar(lent.start, lent.stop, "debugger", "in the debugger"))
    return bars


def _joined(tests: Iterable[Test], narrow: float) -> Iterator[Bar]:
    """A bar for each test; those too narrow to be seen are one, as long as they lie side by side."""
    held: list[Test] = []
    for test in tests:
        is_narrow = test.stop - test.start < narrow and _kind(test) == "passed"
        if held and (not is_narrow or test.start - held[-1].stop > narrow):
            yield _bar(held)
            held = []
        if is_narrow:
            held.append(test)
        else:
            yield _bar([test])
    if held:
        yield _bar(held)


def _bar(tests: list[Test]) -> Bar:
    first, last = tests[0], tests[-1]
    if len(tests) == 1:
        return Bar(first.start, first.stop, _kind(first), _title(first))
    seconds = sum(map(_seconds, tests))
    return Bar(first.start, last.stop, "passed", f"{len(tests)} short tests, {_time(seconds)}\nfrom {first.nodeid}")


def _kind(test: Test) -> str:
    outcome = test.outcome
    if outcome in BAD or outcome == "interrupted":
        return "bad"
    if test.reruns or test.attempt > 1:
        return "again"
    if test.serial is not None:
        return "serial"
    return "passed" if outcome == "passed" else "skipped"


def _title(test: Test) -> str:
    phases = ", ".join(f"{phase.name} {_time(phase.stop - phase.start)}" for phase in test.phases)
    return "\n".join([test.nodeid, f"{test.outcome}: {phases}", *_notes(test)])


def _notes(test: Test) -> Iterator[str]:
    if test.attempt > 1:
        yield f"attempt {test.attempt}"
    if test.reruns:
        yield f"{test.reruns} rerun{'s' if test.reruns > 1 else ''}"
    if test.serial is not None:
        yield f"serial: {test.serial}" if test.serial else "serial"
    if test.resources:
        yield f"needs {', '.join(test.resources)}"
    for wait in test.waited:
        yield f"{wait.text} ({_time(wait.stop - wait.start)})"
    yield from filter(None, (test.where, test.cause))


# ---------------------------------------------------------------- the tables


def _shares(record: Record) -> Iterator[str]:
    """Of each worker's life, what was tests, start, waiting, and the rest."""
    columns: list[str] = []
    rows: dict[int, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for test in record.tests:
        rows[test.worker]["tests"] += _seconds(test)
    for lane in record.lanes:
        if lane.ready is not None:
            rows[lane.number]["start"] += lane.ready - lane.announced
    for wait in record.waits:
        rows[wait.worker][wait.text] += wait.stop - wait.start
        if wait.text not in columns:
            columns.append(wait.text)
    columns = ["tests", "start", *sorted(columns)]
    head = "".join(f'<th class="n">{escape(column)}</th>' for column in [*columns, "other"])
    yield f"<table><tr><th>worker</th>{head}</tr>"
    for lane in record.lanes:
        times = rows[lane.number]
        life = (lane.gone or record.end) - lane.announced
        cells = [times[column] for column in columns]
        cells.append(max(life - sum(cells), 0.0))
        told = "".join(f'<td class="n">{_time(cell)}</td>' for cell in cells)
        yield f"<tr><td>gw{lane.number}</td>{told}</tr>"
    yield "</table>"


def _notable(record: Record) -> Iterator[str]:
    bad = [test for test in record.tests if test.outcome in BAD or test.reruns or test.attempt > 1]
    if bad:
        yield f"<h2>Failed or ran again</h2>{_tests(bad[:200])}"
    waited = sorted((test for test in record.tests if test.waited), key=_waited, reverse=True)[:_LONGEST]
    if waited:
        yield f"<h2>A worker waited longest before</h2>{_tests(waited)}"
    if record.moments:
        yield "<h2>What else happened</h2><table>"
        for moment in record.moments[:200]:
            when = _time(moment.at - record.begin)
            yield (
                f'<tr><td class="n">{when}</td><td>gw{moment.worker}</td><td>{escape(moment.name)}</td>'
                f"<td>{escape(moment.detail)}</td></tr>"
            )
        yield "</table>"


def _tests(tests: list[Test]) -> str:
    rows = "".join(
        f'<tr><td class="n">{_time(_seconds(test))}</td><td>{escape(test.nodeid)}</td><td>gw{test.worker}</td>'
        f"<td>{escape(test.outcome)}</td><td>{'<br>'.join(map(escape, _notes(test)))}</td></tr>"
        for test in tests
    )
    return f'<table><tr><th class="n">time</th><th>test</th><th>worker</th><th>outcome</th><th></th></tr>{rows}</table>'


def _seconds(test: Test) -> float:
    return test.stop - test.start


def _waited(test: Test) -> float:
    return sum(wait.stop - wait.start for wait in test.waited)


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
