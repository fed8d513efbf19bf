"""Prepare suites and run experiments: the chosen runners in turn, round after round.

Each runner has its own copy of the suite, so that none reads what another compiled or remembered, and runs once
unmeasured first, so that no measured run compiles. A cold run starts without the runner's own memory of past runs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchlib.measure import Sample, run
from benchlib.runners import Runner


@dataclass(frozen=True)
class Experiment:
    """`make` writes the suite into an empty folder; `arguments` go to every runner."""

    suite: str
    workers: int
    runners: Sequence[Runner]
    make: Callable[[Path], object]
    arguments: Sequence[str] = ()
    warm: bool = False

    @property
    def title(self) -> str:
        return f"{self.suite}, -n {self.workers}, {'warm' if self.warm else 'cold'}"


@dataclass
class Outcome:
    """Samples by runner name, in the order of the rounds."""

    experiment: Experiment
    timed: dict[str, list[Sample]] = field(default_factory=dict)
    sampled: dict[str, list[Sample]] = field(default_factory=dict)
    passed: int | None = None

    def wrong(self, sample: Sample) -> bool:
        """A run that failed, or that did not pass as many tests as the suite has."""
        return not sample.ok or sample.passed != self.passed


class Session:
    def __init__(self, venvs: Path, work: Path, *, timeout: float, say: Callable[[str], None]) -> None:
        self._venvs = venvs
        self._work = work
        self._timeout = timeout
        self._say = say
        self.outcomes: list[Outcome] = []

    def run(self, experiment: Experiment, *, rounds: int, sampled_rounds: int = 0) -> Outcome:
        """Fill a new outcome, which is in `outcomes` from the start, so that an interrupted one is not lost."""
        outcome = Outcome(experiment)
        self.outcomes.append(outcome)
        folders = {runner.name: self._prepare(experiment, runner) for runner in experiment.runners}
        for runner in experiment.runners:
            sample = self._once(experiment, runner, folders[runner.name], sampled=False)
            outcome.passed = max(filter(None, (outcome.passed, sample.passed)), default=None)
            self._say(f"{experiment.title}: {runner.name} warmed up, {describe(sample)}")
        for sampled, count, samples in (
            (False, rounds, outcome.timed),
            (True, sampled_rounds, outcome.sampled),
        ):
            for number in range(count):
                for runner in experiment.runners:
                    sample = self._once(experiment, runner, folders[runner.name], sampled=sampled)
                    samples.setdefault(runner.name, []).append(sample)
                    kind = "memory" if sampled else "round"
                    self._say(f"{experiment.title}: {kind} {number + 1}/{count}, {runner.name}, {describe(sample)}")
        for folder in folders.values():
            shutil.rmtree(folder)
        return outcome

    def _prepare(self, experiment: Experiment, runner: Runner) -> Path:
        folder = self._work / f"{experiment.suite}-{runner.name}"
        shutil.rmtree(folder, ignore_errors=True)
        experiment.make(folder)
        return folder

    def _once(self, experiment: Experiment, runner: Runner, folder: Path, *, sampled: bool) -> Sample:
        if not experiment.warm:
            for name in runner.memory:
                shutil.rmtree(folder / name, ignore_errors=True)
        command = [*runner.command(self._venvs, experiment.workers), *experiment.arguments]
        venv = self._venvs / runner.venv
        return run(
            command, folder, env={"VIRTUAL_ENV": str(venv)}, proof=runner.proof, sampled=sampled, timeout=self._timeout
        )


def describe(sample: Sample) -> str:
    parts = [f"{sample.wall:.2f} s", f"CPU {sample.cpu:.2f} s", f"{sample.passed} passed"]
    if sample.peak_pss is not None:
        parts.append(f"peak {sample.peak_pss / 1e6:.0f} MB")
    if sample.timed_out:
        parts.append("timed out")
    elif sample.exit_code:
        parts.append(f"exit code {sample.exit_code}")
    if not sample.proved:
        parts.append("tests run by another runner")
    if sample.left_behind:
        parts.append(f"{sample.left_behind} processes left behind")
    if sample.lost_cpu > 0.05 * sample.cpu:
        parts.append(f"{sample.lost_cpu:.2f} s of CPU not accounted for")
    return ", ".join(parts)
