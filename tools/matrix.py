"""Run a smoke set with every supported interpreter, each with a pytest and a pytest-xdist of its own time.

    python tools/matrix.py --wheel dist/outpace-*.whl [--python python3.9 …] [--cache DIR]

For each interpreter found: an environment in the cache folder with the pins below and the wheel; the bundled example
serially, forked and spawned, report by report the same; and a fast part of the contract tests. Logs stay in the cache
folder. Exit code 0: nothing failed; 1: something did; 2: an interpreter asked for is not there, or none is.

Needs the standard library only. Changes nothing outside the cache folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "trading"
SUPPORT = ROOT / "tests" / "support"
# Variables that would change what is run.
STEERING = ("PYTEST_", "OUTPACE_", "PYTHON")
CONTRACT = ("importable_names", "options", "roles", "warnings_and_logging", "wire")


@dataclass(frozen=True)
class Pins:
    """What one interpreter is tried with: together the rows span what the wheel says it runs with."""

    python: str
    pytest: str
    xdist: str


MATRIX = (
    Pins("3.9", "7.4.4", "3.6.1"),
    Pins("3.10", "8.0.2", "3.6.1"),
    Pins("3.11", "9.0.2", "3.8.0"),
    Pins("3.12", "8.4.2", "3.7.0"),
    Pins("3.13", "9.2.0", "3.8.0"),
)


class Failed(Exception):
    """A step went wrong; the message fits into one cell of the table."""


@dataclass
class Row:
    """One interpreter with its pins, its folder, and what came of each step."""

    pins: Pins
    interpreter: str
    folder: Path
    limit: float
    cells: dict[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def failed(self) -> bool:
        return any(not cell.startswith("ok") for cell in self.cells.values())

    def install(self, wheel: Path) -> None:
        if not self.python.exists():
            self.command("install", self.interpreter, "-m", "venv", str(self.folder / "venv"))
        pip = (str(self.python), "-m", "pip", "--disable-pip-version-check", "--quiet")
        pins = (f"pytest=={self.pins.pytest}", f"pytest-xdist=={self.pins.xdist}")
        self.command("install", *pip, "install", *pins)
        self.command("install", *pip, "install", "--force-reinstall", "--no-deps", str(wheel.resolve()))
        self.command("install", *pip, "check")

    def serial(self) -> None:
        self.example("serial", "-n", "0")

    def parallel(self, method: str) -> None:
        out = self.example(method, "-n", "2", f"--start-method={method}")
        if f"start method {method} (asked for)" not in out:
            raise Failed("not run by outpace")
        compare = "import sys, outcomes as o; print(*o.differences(*map(o.load, sys.argv[1:])), sep='\\n')"
        records = (str(self.folder / "serial.json"), str(self.folder / f"{method}.json"))
        different = self.command("compare", str(self.python), "-c", compare, *records).split("\n")
        if any(different):
            raise Failed(f"differs from serial: {different[0]}")

    def contract(self) -> None:
        tests = (str(ROOT / "tests" / "contract" / f"test_{name}.py") for name in CONTRACT)
        self.pytest("contract", ROOT, "-p", "no:outpace", "-n", "2", "-q", *tests)

    def example(self, step: str, *options: str) -> str:
        record = self.folder / f"{step}.json"
        record.unlink(missing_ok=True)
        out = self.pytest(step, EXAMPLE, "-p", "outcomes", *options, OUTCOMES_FILE=str(record))
        if not record.is_file():
            raise Failed("no record of the run")
        return out

    def pytest(self, step: str, cwd: Path, *options: str, **environment: str) -> str:
        return self.command(
            step, str(self.python), "-m", "pytest", "-p", "no:cacheprovider", *options, cwd=cwd, **environment
        )

    def command(self, step: str, *command: str, cwd: Path = ROOT, **environment: str) -> str:
        """The command's output; it and everything it has started end with it, or at the limit."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(STEERING)}
        log = self.folder / f"{step}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**kept, "PYTHONPATH": str(SUPPORT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(self.limit)
            except subprocess.TimeoutExpired:
                raise Failed(f"no end after {self.limit:.0f} s") from None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code:
            raise Failed(f"exit code {code}")
        return log.read_text(errors="replace").strip()


def run(row: Row, wheel: Path) -> None:
    """Fills the row's cells. Without an installation or a serial run, the rest means nothing."""
    steps = {
        "install": lambda: row.install(wheel),
        "serial": row.serial,
        "fork": lambda: row.parallel("fork"),
        "spawn": lambda: row.parallel("spawn"),
        "contract": row.contract,
    }
    for name, step in steps.items():
        print(f"{row.pins.python} {name} …", file=sys.stderr, flush=True)
        start = time.monotonic()
        try:
            step()
            row.cells[name] = f"ok {time.monotonic() - start:.0f} s"
        except Failed as failure:
            row.cells[name] = str(failure)
            if name in ("install", "serial"):
                return


def version_of(interpreter: str) -> str | None:
    """``3.12``; None for what is not there, or only pretends to be (a version manager's stand-in)."""
    found = shutil.which(interpreter)
    if found is None:
        return None
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    answer = subprocess.run([found, "-c", code], capture_output=True, text=True, check=False)
    return answer.stdout.strip() if answer.returncode == 0 else None


def rows(interpreters: Sequence[str], cache: Path, limit: float) -> tuple[list[Row], list[str]]:
    """The rows to run, and the interpreters that cannot be."""
    by_version = {pins.python: pins for pins in MATRIX}
    found, missing = [], []
    for interpreter in interpreters or [f"python{pins.python}" for pins in MATRIX]:
        pins = by_version.get(version_of(interpreter) or "")
        if pins is None:
            missing.append(interpreter)
            continue
        folder = cache / f"{pins.python}-pytest-{pins.pytest}-xdist-{pins.xdist}"
        folder.mkdir(parents=True, exist_ok=True)
        found.append(Row(pins, interpreter, folder, limit))
    return found, missing


def table(finished: Sequence[Row]) -> str:
    head = ("python", "pytest", "xdist", "install", "serial", "fork", "spawn", "contract")
    lines = [head]
    for row in finished:
        pins = (row.pins.python, row.pins.pytest, row.pins.xdist)
        lines.append((*pins, *(row.cells.get(name, "-") for name in head[3:])))  # type: ignore[arg-type]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="matrix.py", description="A smoke set with every supported interpreter.")
    parser.add_argument("--wheel", type=Path, required=True, help="the outpace wheel to test")
    parser.add_argument("--python", action="append", default=[], metavar="NAME",
                        help="an interpreter's name or path; repeatable (default: python3.9 … 3.13)")  # fmt: skip
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "matrix", metavar="DIR")
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS", help="of one step (default: 600)")
    options = parser.parse_args(argv)
    if not options.wheel.is_file():
        parser.error(f"no such wheel: {options.wheel}")
    found, missing = rows(options.python, options.cache.resolve(), options.limit)
    for row in found:
        run(row, options.wheel)
    print(table(found))
    for row in found:
        if row.failed:
            print(f"{row.pins.python}: a log of each step is in {row.folder}")
    for interpreter in missing:
        print(f"{interpreter}: not a supported interpreter on this machine")
    if not found or (options.python and missing):
        return 2
    return int(any(row.failed for row in found))


if __name__ == "__main__":
    sys.exit(main())
