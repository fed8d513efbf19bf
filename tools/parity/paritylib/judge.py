"""Take one suite through all its runs: serial first, each mode, then the runs which may excuse what differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from . import compare
from .classify import classify
from .environment import Prepared, Workshop
from .model import Difference, Mode, ParityError, Run, Suite, Verdicts
from .report import ModeResult, SuiteResult
from .runner import Runner

SERIAL = Mode("serial")
EXCUSING = Mode("xdist", 2)


def allowed(mode: Mode, suite: Suite) -> Mode:
    """A suite that must not be forked proves something else: that outpace sees it, and spawns."""
    return replace(mode, start_method="auto") if mode.start_method == "fork" and suite.unsafe_to_fork else mode


@dataclass(frozen=True)
class Judge:
    workshop: Workshop
    runner: Runner
    outcomes: ModuleType
    modes: tuple[Mode, ...]
    repeats: int  # at most this many further serial runs, and as many under xdist
    say: Callable[[str], None]

    def judge(self, suite: Suite) -> SuiteResult:
        result = SuiteResult(suite)
        try:
            self._judge(suite, result)
        except ParityError as error:
            result.error = str(error)
            self.say(f"{suite.name}: {error}")
        return result

    def _judge(self, suite: Suite, result: SuiteResult) -> None:
        self.say(f"{suite.name} {suite.version}: preparing")
        prepared = self.workshop.prepare(suite)
        if prepared.fresh:
            self.runner.collect(prepared)
        serial_run = self._run(prepared, SERIAL, "serial")
        if serial_run.exit_code is None:
            raise ParityError(f"the serial run did not end within {suite.timeout:.0f} s")
        serial = compare.read(serial_run, suite.rules, self.outcomes)
        result.serial_seconds = serial_run.seconds
        result.tests = serial.tests
        result.failing = len({r["nodeid"] for r in serial.record["reports"] if r["outcome"] == "failed"})
        differing: list[tuple[ModeResult, list[Difference]]] = []
        for asked in self.modes:
            mode = allowed(asked, suite)
            seconds, found = self._differences(prepared, serial, mode, mode.label)
            entry = ModeResult(mode, seconds, Verdicts(ours=found), column=asked)
            result.modes.append(entry)
            if found:
                self.say(f"{suite.name}: {mode.label} differs from serial in {len(found)} places")
                differing.append((entry, found))
        self._excuse(prepared, serial, differing)

    def _excuse(
        self, prepared: Prepared, serial: compare.Evidence, differing: Sequence[tuple[ModeResult, list[Difference]]]
    ) -> None:
        """Repeat the serial run and run plain xdist until everything is explained or the repeats are used up."""
        again: list[list[Difference]] = []
        xdist: list[list[Difference]] = []
        for round_ in range(1, self.repeats + 1):
            if not any(entry.verdicts.ours for entry, _ in differing):
                return
            again.append(self._differences(prepared, serial, SERIAL, f"serial-again-{round_}")[1])
            xdist.append(self._differences(prepared, serial, EXCUSING, f"xdist-again-{round_}")[1])
            for entry, found in differing:
                entry.verdicts = classify(found, again, xdist)

    def _differences(
        self, prepared: Prepared, serial: compare.Evidence, mode: Mode, label: str
    ) -> tuple[float, list[Difference]]:
        try:
            run = self._run(prepared, mode, label)
        except ParityError as error:
            return 0.0, [Difference("run", f"run {mode.engine}", str(error))]
        other = compare.KILLED if run.exit_code is None else compare.read(run, prepared.suite.rules, self.outcomes)
        return run.seconds, compare.compare(serial, other, self.outcomes)

    def _run(self, prepared: Prepared, mode: Mode, label: str) -> Run:
        run = self.runner.run(prepared, mode, label)
        self.say(f"{prepared.suite.name}: {label} took {run.seconds:.1f} s, exit code {run.exit_code}")
        return run
