"""Draw outcomes: the wall time of each runner on each suite, as a ratio to the baseline's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchlib import summary
from benchlib.session import Outcome
from benchlib.summary import Spread

WIDTH, LEFT, RIGHT = 760, 150, 130
BAR, GAP, HEAD = 14, 26, 46
# Longer bars are cut off; their figure is beside them.
MOST = 2.0
_COLOURS = {"serial": "#9e9e9e", "xdist": "#c98b5a", "rstest": "#8a7fb8", "zygote": "#6fa37a", "outpace": "#2f6fb2"}


def svg(outcomes: Sequence[Outcome], baseline: str) -> str:
    lines: list[str] = []
    y = HEAD
    for outcome in outcomes:
        base = outcome.timed.get(baseline, [])
        lines.append(_text(8, y + 11, outcome.experiment.title.rsplit(",", 1)[0], weight="bold"))
        y += BAR + 6
        for runner in outcome.experiment.runners:
            ratio = summary.ratios(outcome.timed.get(runner.name, []), base, summary.wall)
            if ratio is not None:
                lines += _bar(y, runner.name, ratio)
                y += BAR + 3
        y += GAP - BAR
    height = y + 8
    scale = [
        _line(_x(ratio), HEAD - 4, height - 8) + _text(_x(ratio), HEAD - 10, f"{ratio:g}", anchor="middle")
        for ratio in (0.0, 0.5, 1.0, 1.5, 2.0)
    ]
    title = _text(8, 18, f"Wall time, in parts of {baseline} pytest's (median of the rounds; line: least to most)", 14)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
            'font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
            title,
            *scale,
            *lines,
            "</svg>\n",
        ]
    )


def _x(ratio: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(ratio, MOST) / MOST


def _bar(y: int, name: str, ratio: Spread) -> list[str]:
    colour = _COLOURS.get(name.split("-", maxsplit=1)[0], "#555555")
    middle = y + BAR / 2
    end = max(_x(ratio.median), _x(ratio.most))
    return [
        _text(LEFT - 8, y + 11, name, anchor="end"),
        f'<rect x="{LEFT}" y="{y}" width="{_x(ratio.median) - LEFT:.1f}" height="{BAR}" fill="{colour}"/>',
        f'<line x1="{_x(ratio.least):.1f}" x2="{_x(ratio.most):.1f}" y1="{middle}" y2="{middle}" stroke="black"/>',
        _text(end + 8, y + 11, f"{ratio.median:.2f}"),
    ]


def _line(x: float, top: int, bottom: int) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" stroke="#e0e0e0"/>'


def _text(x: float, y: float, text: str, size: int = 12, *, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{escape(text)}</text>"
    )
