"""The plain values which the parity tool's modules pass to each other. No behaviour, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


class ParityError(Exception):
    """The tool cannot do its work: a bad suite list, a failed install, a run that gave no record."""


@dataclass(frozen=True)
class Rule:
    """Text that may differ between two runs although nothing is wrong, and why."""

    pattern: str
    replacement: str
    reason: str


@dataclass(frozen=True)
class Suite:
    name: str
    version: str
    source: str  # "sdist" or "installed"
    sha256: str
    requirements: tuple[str, ...]
    args: tuple[str, ...]
    deselect: tuple[str, ...]
    rules: tuple[Rule, ...]
    fast: bool
    timeout: float
    unsafe_to_fork: str = ""  # why; such a suite decides by itself where the others are forked

    @property
    def pin(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Mode:
    """How one run is distributed. ``workers == 0`` is the serial run."""

    engine: str  # "serial", "xdist" or "outpace"
    workers: int | Literal["auto"] = 0
    start_method: str = ""

    @property
    def label(self) -> str:
        if self.engine == "serial":
            return "serial"
        parts = [self.engine, f"n{self.workers}"]
        return "-".join(parts + ([self.start_method] if self.start_method else []))


@dataclass(frozen=True)
class Run:
    """What one pytest run left behind."""

    mode: Mode
    seconds: float
    exit_code: int | None  # None: killed at the time limit
    folder: Path
    leftovers: tuple[str, ...] = ()

    @property
    def outcomes_file(self) -> Path:
        return self.folder / "outcomes.json"

    @property
    def junit_file(self) -> Path:
        return self.folder / "junit.xml"

    @property
    def output_file(self) -> Path:
        return self.folder / "output.txt"


@dataclass(frozen=True)
class Difference:
    """One disagreement of a run with the serial run.

    ``key`` says *where* they disagree and, where that matters, *to what*: two runs that disagree with the serial run
    under the same key do so in the same way, which is what excuses a difference (see ``classify``).
    """

    kind: str
    key: str
    detail: str
    nodeid: str = ""  # of the test, where it is about one


@dataclass
class Verdicts:
    """The differences of one parallel run, by whose they are."""

    ours: list[Difference] = field(default_factory=list)
    xdist: list[Difference] = field(default_factory=list)
    flaky: list[Difference] = field(default_factory=list)
