"""Fixtures of the doctor's tests: a copy of a suite, and the doctor's report on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

collect_ignore = ["corpus"]

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
EXAMPLE = HERE.parents[1] / "examples" / "trading"
LIMIT = 600


class Examined(NamedTuple):
    """What the doctor returned, printed, and wrote as JSON."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    @property
    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.report["findings"]
        return found


class Doctor:
    """Runs ``outpace doctor`` in a folder."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.folder = folder
        self.scratch = scratch

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        binary = os.path.join(os.path.dirname(sys.executable), "outpace")
        command = [binary, "doctor", "--python", sys.executable, *args]
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OUTPACE_"))}
        environ["TMPDIR"] = str(self.scratch)
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=LIMIT, check=False
        )
        assert not list(self.scratch.glob("outpace-doctor-*")), "the doctor's folder is left"
        return done

    def parallel(self, *args: str) -> subprocess.CompletedProcess[str]:
        """An ordinary run with four workers, on a machine where nothing is left of an earlier one."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OUTPACE_"))}
        with tempfile.TemporaryDirectory(prefix="d") as temporary:
            return subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-n", "4", *args],
                cwd=self.folder,
                env={**environ, "TMPDIR": temporary},
                capture_output=True,
                text=True,
                timeout=LIMIT,
                check=False,
            )

    def examine(self, *args: str) -> Examined:
        file = self.scratch / "report.json"
        file.unlink(missing_ok=True)
        done = self.run("--json", str(file), *args)
        report = json.loads(file.read_text())["report"] if file.exists() else {}
        return Examined(done.returncode, done.stdout, done.stderr, report)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder with a short name: the paths of sockets are."""
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


@pytest.fixture
def doctor(tmp_path: Path, scratch: Path) -> Doctor:
    """In an empty project."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    return Doctor(folder, scratch)


@pytest.fixture
def doctor_on(tmp_path: Path, scratch: Path) -> Any:
    """``doctor_on(folder)``: in a copy of it."""

    def make(source: Path) -> Doctor:
        shutil.copytree(source, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__", "expected.json"))
        return Doctor(tmp_path / "project", scratch)

    return make
