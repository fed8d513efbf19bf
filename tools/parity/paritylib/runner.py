"""Run pytest once on a prepared suite and leave behind a record, a junit file and the output.

Knows how each engine is asked for, and checks that it really was that engine which ran: a comparison of a serial run
with itself would always agree. Compares nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .environment import Prepared
from .model import Mode, ParityError, Run

_MARKER = "OUTPACE_PARITY_RUN"
_GRACE = 5.0  # seconds which processes of a finished run get to end by themselves


@dataclass(frozen=True)
class Runner:
    recorder: Path  # the folder which holds outcomes.py
    folder: Path  # a folder per run is made below it
    nice: bool = False

    def collect(self, prepared: Prepared) -> None:
        """Compile bytecode and assertions, so that the first timed run does not pay for it."""
        self._start(prepared, Mode("serial"), "warm-up", ["--collect-only", "-q"])

    def run(self, prepared: Prepared, mode: Mode, label: str) -> Run:
        run = self._start(prepared, mode, label, [])
        if run.exit_code is not None:
            verify_engine(run)
        return run

    def _start(self, prepared: Prepared, mode: Mode, label: str, extra: Sequence[str]) -> Run:
        suite = prepared.suite
        run_folder = self.folder / suite.name / label
        shutil.rmtree(run_folder, ignore_errors=True)
        run_folder.mkdir(parents=True)
        temp = run_folder.parent / "t"  # short: the path of a Unix socket has 107 characters
        marker = uuid.uuid4().hex
        command = [
            *(["nice", "-n", "10"] if self.nice else []),
            *(str(part) for part in [prepared.pytest, "-p", "outcomes"]),
            *engine_arguments(mode),
            "-o", f"cache_dir={run_folder / 'cache'}",
            "-o", "junit_logging=all",
            f"--junitxml={run_folder / 'junit.xml'}",
            f"--basetemp={temp}",
            *prepared.arguments,
            *suite.args,
            *(part for nodeid in suite.deselect for part in ("--deselect", nodeid)),
            *extra,
        ]  # fmt: skip
        environment = self._environment(run_folder, marker)
        started = time.monotonic()
        with (run_folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                command, cwd=prepared.cwd, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                exit_code: int | None = process.wait(suite.timeout)
            except subprocess.TimeoutExpired:
                exit_code = None
            finally:
                if process.poll() is None:  # too slow, or this tool is being ended
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    end_leftovers(marker, 0.0)
        seconds = time.monotonic() - started
        leftovers = end_leftovers(marker, _GRACE) if exit_code is not None else []
        shutil.rmtree(temp, ignore_errors=True)
        return Run(mode, seconds, exit_code, run_folder, tuple(leftovers))

    def _environment(self, run_folder: Path, marker: str) -> dict[str, str]:
        # No PYTEST_ADDOPTS, PYTHONPATH, PYTHONDONTWRITEBYTECODE … of the caller; one hash seed, because set and dict
        # order in messages would else differ between any two runs.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "PYTHON", "OUTPACE_", "COV_"))}
        kept.pop("VIRTUAL_ENV", None)
        return {
            **kept,
            "COLUMNS": "80",
            "TERM": "dumb",
            "TZ": "UTC",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(self.recorder),
            "OUTCOMES_FILE": str(run_folder / "outcomes.json"),
            _MARKER: marker,
        }


def engine_arguments(mode: Mode) -> list[str]:
    if mode.engine == "serial":
        return ["-p", "no:outpace"]
    workers = ["-n", str(mode.workers)]
    if mode.engine == "xdist":
        return ["-p", "no:outpace", *workers]
    return [*workers, "--start-method", mode.start_method]


def verify_engine(run: Run) -> None:
    """Raise unless the run left a record, made by the engine and start method asked for."""
    output = run.output_file.read_text(encoding="utf-8", errors="replace")
    where = f"{run.folder.parent.name}, {run.mode.label}"
    tail = "\n".join(output.splitlines()[-25:])
    try:
        record = json.loads(run.outcomes_file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ParityError(f"{where}: no record (exit {run.exit_code}): {error}\n{tail}") from error
    if not record["reports"]:
        raise ParityError(f"{where}: no test ran (exit {run.exit_code})\n{tail}")
    header = re.search(r"^outpace .*$", output, re.M)
    if run.mode.engine == "outpace":
        if header is None:
            raise ParityError(f"{where}: outpace's header line is missing: something else ran the tests\n{tail}")
        if not re.search(rf"\b{re.escape(run.mode.start_method)}\b", header.group()):
            raise ParityError(f"{where}: start method {run.mode.start_method} asked for, but: {header.group()}")
        if run.mode.start_method == "auto" and "outpace: workers are spawned, not forked" not in output:
            raise ParityError(f"{where}: outpace did not see that this suite must not be forked\n{tail}")
    elif header is not None:
        raise ParityError(f"{where}: outpace ran although it was switched off: {header.group()}")
    workers = {report["worker"] for report in record["reports"]} - {None}
    if bool(workers) != (run.mode.engine != "serial"):
        raise ParityError(f"{where}: the reports name the workers {sorted(workers)}")


def end_leftovers(marker: str, grace: float) -> list[str]:
    """Kill every process that still carries the run's marker after ``grace`` seconds; their command lines."""
    deadline = time.monotonic() + grace
    while (found := _marked(marker)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in found:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return sorted(found.values())


def _marked(marker: str) -> dict[int, str]:
    wanted = f"{_MARKER}={marker}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                found[int(folder.name)] = command or "(ended, not waited for)"
        except OSError:
            continue
    return found
