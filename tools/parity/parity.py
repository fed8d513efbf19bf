"""Run pinned real suites serially and in parallel and report every difference. See README.md.

    python tools/parity/parity.py --wheel dist/outpace-*.whl [--suite NAME …] [--fast] [--workers 2,4] …

Exit code 0: no difference is outpace's; 1: some are; 2: a suite could not be judged, or the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

if sys.version_info < (3, 11):  # noqa: UP036 - a clear message in place of a syntax or import error
    sys.exit("parity.py needs Python 3.11 or newer")

from paritylib import catalogue, records, report
from paritylib.environment import Workshop
from paritylib.judge import Judge
from paritylib.model import Mode, ParityError
from paritylib.runner import Runner

HERE = Path(__file__).resolve().parent


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="parity.py", description="Compare real suites run serially and in parallel.")
    parser.add_argument("--suite", action="append", default=[], metavar="NAME", help="only this suite; repeatable")
    parser.add_argument("--fast", action="store_true", help="only the fast subset")
    parser.add_argument("--list", action="store_true", help="print the suites and stop")
    parser.add_argument("--engine", choices=["outpace", "xdist"], default="outpace", help="what to compare with serial")
    parser.add_argument("--workers", type=_numbers, default=[2, 4], metavar="N,N",
                        help="also auto; default: 2,4")  # fmt: skip
    parser.add_argument("--start-method", type=_methods, default=["fork", "spawn"], metavar="M,M",
                        help="default: fork,spawn; xdist has none")  # fmt: skip
    parser.add_argument("--wheel", type=Path, help="the outpace wheel to test")
    parser.add_argument("--cache", type=Path, default=_default_cache(), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--repeats", type=int, default=2, metavar="N",
                        help="serial and xdist runs that may excuse a difference (default: %(default)s)")  # fmt: skip
    parser.add_argument("--jobs-niced", action="store_true", help="run everything at low priority")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: report.json in the cache folder")
    options = parser.parse_args(argv)
    if options.engine == "outpace" and not options.list:
        if options.wheel is None:
            parser.error("--engine outpace needs --wheel")
        if not options.wheel.is_file():
            parser.error(f"no such wheel: {options.wheel}")
    return options


def _numbers(text: str) -> list[int | Literal["auto"]]:
    return [_number(part) for part in text.split(",")]


def _number(text: str) -> int | Literal["auto"]:
    if text == "auto":
        return "auto"
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a worker count is auto, or a number of at least 1: {text!r}")
    return int(text)


def _methods(text: str) -> list[str]:
    methods = text.split(",")
    if unknown := set(methods) - {"fork", "spawn"}:
        raise argparse.ArgumentTypeError(f"not a start method: {', '.join(sorted(unknown))}")
    return methods


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outpace-parity"


def modes(options: argparse.Namespace) -> tuple[Mode, ...]:
    methods: list[str] = options.start_method if options.engine == "outpace" else [""]
    return tuple(Mode(options.engine, workers, method) for method in methods for workers in options.workers)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(options: argparse.Namespace) -> int:
    listed = catalogue.load(HERE)
    suites = listed.select(options.suite, fast=options.fast)
    if options.list:
        for suite in suites:
            print(f"{suite.pin}{' (fast)' if suite.fast else ''}")
        return 0
    cache: Path = options.cache.resolve()
    plugin = cache / "plugin"
    plugin.mkdir(parents=True, exist_ok=True)
    shutil.copy(records.RECORDER, plugin)  # a folder of its own: nothing else of this project becomes importable
    judge = Judge(
        workshop=Workshop(
            cache, listed.common, listed.constraints, HERE / "constraints.txt",
            options.wheel.resolve() if options.wheel else None,
        ),
        runner=Runner(plugin, cache / "run", options.jobs_niced),
        outcomes=records.load_outcomes(),
        modes=modes(options),
        repeats=options.repeats,
        say=say,
    )  # fmt: skip
    results = [judge.judge(suite) for suite in suites]
    table = report.markdown(results, judge.modes)
    print(table, end="")
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    json_file = options.json or cache / "report.json"
    json_file.write_text(json.dumps(report.as_json(results), indent=1), encoding="utf-8")
    return report.exit_code(results)


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_arguments(argv)
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # unwinds: the run under way is killed
    try:
        return run(options)
    except ParityError as error:
        say(f"parity.py: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
