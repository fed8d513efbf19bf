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


def outpace(name: str, *arguments: str) -> Runner:
    return Runner(name, "main", "pytest", arguments, ("outpace",), (".outpace",), r"^outpace ")


TABLE = (
    Runner("serial", "main", "pytest", SERIAL),
    Runner("xdist-load", "main", "pytest", (*PLAIN, "-n", "{n}", "--dist", "load")),
    Runner("xdist-worksteal", "main", "pytest", (*PLAIN, "-n", "{n}", "--dist", "worksteal")),
    outpace("outpace", "-n", "{n}"),
    outpace("outpace-auto", "-n", "auto"),
    outpace("outpace-spawn", "-n", "{n}", "--start-method", "spawn"),
    Runner("zygote", "zygote", "pytest", ("--workers", "{n}")),
    Runner("rstest", "rstest", "rstest", ("-n", "{n}"), memory=(".rstest_cache",)),
)
RUNNERS = {runner.name: runner for runner in TABLE}
