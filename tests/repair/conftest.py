"""Fixtures that run a small project in forked workers, with all repairs or with some left out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import pytest

ROOT = Path(__file__).parents[2]


@dataclass
class Worker:
    """What one worker wrote."""

    lines: list[dict[str, Any]]

    def each(self, key: str) -> list[Any]:
        return [line[key] for line in self.lines if key in line]

    def one(self, key: str) -> Any:
        (value,) = self.each(key)
        return value

    @property
    def calls(self) -> dict[str, dict[str, Any]]:
        return {line["test"]: line for line in self.lines if line.get("when") == "call" and "test" in line}

    @property
    def properties(self) -> dict[str, Any]:
        """All that the tests of this worker said with ``record_property``."""
        return {name: value for call in self.calls.values() for name, value in call["properties"].items()}


@dataclass
class Outcome:
    """What a run left behind."""

    template: Worker
    workers: list[Worker]
    stdout: str
    stderr: str

    def said(self, name: str) -> list[Any]:
        """What each worker's tests said by ``record_property(name, …)``."""
        return [worker.properties.get(name) for worker in self.workers]

    @property
    def failures(self) -> list[str]:
        return [line["longrepr"] for worker in self.workers for line in worker.lines if line.get("outcome") == "failed"]


@dataclass
class Project:
    """A project of the user's; each file is given by name and text."""

    folder: Path
    runs: int = 0
    environ: dict[str, str] = field(default_factory=dict)
    path: list[Path] = field(default_factory=list)
    workerinput: dict[str, Any] = field(default_factory=dict)
    per_worker_keys: list[str] = field(default_factory=list)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def run(
        self,
        *arguments: str,
        without: tuple[str, ...] = (),
        workers: int = 2,
        stdin: str = "",
        mode: str = "fork",
    ) -> Outcome:
        self.runs += 1
        out = self.folder / f"out{self.runs}"
        (out / "base").mkdir(parents=True)
        order = {
            "arguments": list(arguments),
            "out": str(out),
            "workers": workers,
            "skip": list(without),
            "basetemp": str(out / "base"),
            "workerinput": self.workerinput,
            "per_worker_keys": self.per_worker_keys,
            "mode": mode,
        }
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, [ROOT / "python", *self.path])),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environ,
        }
        for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST"):
            environ.pop(name, None)
        script = Path(__file__).with_name("template_process.py")
        with open(out / "stdout", "w+") as stdout, open(out / "stderr", "w+") as stderr:
            subprocess.run(
                [sys.executable, str(script), json.dumps(order)],
                cwd=self.folder,
                env=environ,
                input=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                timeout=30,
                check=False,
            )
        names = ["template", *(f"gw{number}" for number in range(workers))]
        template, *rest = (Worker(list(_lines(out / f"{name}.jsonl"))) for name in names)
        return Outcome(template, rest, *((out / name).read_text() for name in ("stdout", "stderr")))

    def needs(self, row: str, right: Callable[[Outcome], bool], *arguments: str, **options: Any) -> None:
        """The workers behave with all repairs, and misbehave without ``row``."""
        repaired = self.run(*arguments, **options)
        assert all(worker.each("pid") for worker in repaired.workers), repaired
        assert right(repaired), repaired
        broken = self.run(*arguments, without=(row,), **options)
        assert not right(broken), f"the repair {row!r} makes no difference: {broken}"

    def findings(self, *arguments: str) -> list[tuple[str, str]]:
        """Why this project must not be forked."""
        outcome = self.run(*arguments, mode="detect", workers=0)
        assert outcome.template.lines, outcome.stdout + outcome.stderr
        return [(code, message) for code, message in outcome.template.one("findings")]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        yield from map(json.loads, path.read_text().splitlines())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
