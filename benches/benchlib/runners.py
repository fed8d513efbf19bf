"""The table of runners: how each is called, in which environment it lives, and what it remembers between runs.

A runner is a line of this table and nothing else; nothing in the bench asks which runner it is measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PLAIN = ("-p", "no:outpace")
SERIAL = (*PLAIN, "-p", "no:xdist", "-p", "no:xdist.looponfail")


@dataclass(frozen=True)
class Runner:
    """`arguments` may hold ``{n}``. `needs` are the programs that must be in its environment beside its own, `memory`
    what it keeps in the suite's folder to be faster next time, `proof` a pattern that some line of its output matches
    when it was this runner and no other that ran the tests."""

    name: str
    venv: str
    program: str
    arguments: Sequence[str]
    needs: Sequence[str] = ()
    memory: Sequence[str] = ()
    proof: str = ""

    def command(self, venvs: Path, workers: int) -> list[str]:
        program = venvs / self.venv / "bin" / self.program
        return [str(program), *(argument.format(n=workers) for argument in self.arguments)]

    def installed(self, venvs: Path) -> bool:
        return all((venvs / self.venv / "bin" / name).exists() for name in (self.program, *self.needs))


# Pytest's cache folder, where outpace keeps its history.
HISTORY = (".pytest_cache",)


def outpace(name: str, *arguments: str, memory: Sequence[str] = HISTORY) -> Runner:
    return Runner(name, "main", "pytest", arguments, ("outpace",), memory, r"^outpace ")


def xdist(name: str, *arguments: str) -> Runner:
    return Runner(name, "main", "pytest", (*PLAIN, *arguments))


TABLE = (
    Runner("serial", "main", "pytest", SERIAL),
    xdist("xdist-load", "-n", "{n}", "--dist", "load"),
    xdist("xdist-worksteal", "-n", "{n}", "--dist", "worksteal"),
    xdist("xdist-loadfile", "-n", "{n}", "--dist", "loadfile"),
    # With more workers than cores, for suites that wait.
    xdist("xdist-n8", "-n", "8"),
    xdist("xdist-n16", "-n", "16"),
    outpace("outpace", "-n", "{n}"),
    outpace("outpace-auto", "-n", "auto"),
    # Never without the history of earlier runs, also in rounds where others begin without theirs.
    outpace("outpace-warm", "-n", "{n}", memory=()),
    outpace("outpace-auto-warm", "-n", "auto", memory=()),
    outpace("outpace-spawn", "-n", "{n}", "--start-method", "spawn"),
    Runner("zygote", "zygote", "pytest", ("--workers", "{n}")),
    Runner("rstest", "rstest", "rstest", ("-n", "{n}"), memory=(".rstest_cache",)),
)
RUNNERS = {runner.name: runner for runner in TABLE}
