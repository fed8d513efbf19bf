"""Measure test runners against each other: ``python benches/bench.py --help``.

Wires the command line to suites, sessions and tables; holds no figure and no rule of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchlib.facts import machine, versions
from benchlib.plot import svg
from benchlib.runners import RUNNERS, Runner
from benchlib.session import Experiment, Session
from benchlib.tables import as_json, report
from benchlib.targets import PLANS, judge, verdict_table
from suites import SUITES, Options, generate

VENVS = Path(__file__).resolve().parent.parent / ".cache" / "bench"
IGNORED = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".rstest_cache", ".git")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure test runners against each other, in turn.")
    parser.add_argument("--suite", action="append", default=[], choices=SUITES, help="a generated suite; repeatable")
    parser.add_argument("--folder", action="append", default=[], type=Path, help="a suite of your own; repeatable")
    parser.add_argument("--arguments", default="", help="arguments for every runner, as one string")
    parser.add_argument("--runner", action="append", default=[], choices=RUNNERS, help="default: all installed")
    parser.add_argument("-n", "--workers", action="append", default=[], type=int, help="default 2; repeatable")
    parser.add_argument("--pairs", type=int, default=5, help="rounds, in each of which every runner runs once")
    parser.add_argument("--pss", action="store_true", help="measure memory too, in rounds of their own")
    parser.add_argument("--pss-rounds", type=int, default=3)
    parser.add_argument("--warm", action="store_true", help="let runners use what they remember of earlier runs")
    parser.add_argument("--baseline", default="serial", choices=RUNNERS)
    parser.add_argument("--scale", type=float, default=1.0, help="shrink the generated suites")
    parser.add_argument("--in-conftest", action="store_true", help="imports: let conftest.py import the package")
    parser.add_argument("--venvs", type=Path, default=VENVS, help="the folder that setup.sh filled")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one run")
    parser.add_argument("--json", type=Path, help="write every sample to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file too")
    parser.add_argument("--svg", type=Path, help="draw the wall times to this file")
    parser.add_argument(
        "--check", nargs="?", const="core", choices=PLANS, help="measure what these targets need and judge them (core)"
    )
    return parser


def chosen_runners(names: Sequence[str], venvs: Path) -> list[Runner]:
    wanted = [RUNNERS[name] for name in names] or list(RUNNERS.values())
    runners = [runner for runner in wanted if runner.installed(venvs)]
    missing = [runner.name for runner in wanted if runner not in runners]
    if missing:
        print(f"not installed, left out: {', '.join(missing)}", file=sys.stderr)
    return runners


def experiments(options: argparse.Namespace) -> list[tuple[Experiment, int]]:
    """What to run, each with its number of memory rounds."""
    settings = Options(scale=options.scale, in_conftest=options.in_conftest)

    def experiment(suite: str, workers: int, names: Sequence[str], make: Callable[[Path], object]) -> Experiment:
        runners = chosen_runners(names, options.venvs)
        return Experiment(suite, workers, runners, make, shlex.split(options.arguments), options.warm)

    if options.check:
        return [
            (
                experiment(suite, workers, names, functools.partial(generate, suite, options=settings)),
                options.pss_rounds if sampled else 0,
            )
            for suite, workers, sampled, names in PLANS[options.check][1]
        ]
    suites: list[tuple[str, Callable[[Path], object]]] = [
        (suite, functools.partial(generate, suite, options=settings)) for suite in options.suite
    ]
    suites += [
        (folder.resolve().name, functools.partial(shutil.copytree, folder.resolve(), ignore=IGNORED))
        for folder in options.folder
    ]
    return [
        (experiment(name, workers, options.runner, make), options.pss_rounds if options.pss else 0)
        for name, make in suites
        for workers in options.workers or [2]
    ]


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    options.venvs = options.venvs.absolute()
    planned = experiments(options)
    if not planned:
        parser().error("nothing to measure: give --suite, --folder or --check")
    if not any(experiment.runners for experiment, _ in planned):
        parser().error("no runner is installed: run benches/setup.sh first")
    facts = machine()
    facts.update(versions(options.venvs, [runner for experiment, _ in planned for runner in experiment.runners]))
    interrupted = False
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="bench-") as work:
        session = Session(
            options.venvs,
            Path(work),
            timeout=options.timeout,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
        try:
            for experiment, sampled in planned:
                session.run(experiment, rounds=options.pairs, sampled_rounds=sampled)
        except KeyboardInterrupt:
            print("interrupted: the figures are those of the runs made so far", file=sys.stderr)
            interrupted = True
    outcomes = session.outcomes
    facts["load after"] = f"{os.getloadavg()[0]:.1f}"
    text = report(facts, outcomes, options.baseline, options.pairs)
    by_suite = {outcome.experiment.suite: outcome for outcome in outcomes}
    verdicts = judge(options.check, by_suite) if options.check else []
    if verdicts:
        text += "\n### Targets\n\n" + verdict_table(verdicts) + "\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    if options.svg:
        options.svg.write_text(svg(outcomes, options.baseline))
    if options.json:
        options.json.write_text(json.dumps(as_json(facts, outcomes, options.baseline), indent=1) + "\n")
    if interrupted:
        return 130
    if verdicts:
        return int(any(verdict.word != "met" for verdict in verdicts))
    return int(any(outcome.wrong(sample) for outcome in outcomes for runs in outcome.timed.values() for sample in runs))


if __name__ == "__main__":
    sys.exit(main())
