"""The statements that stand for COMMIT and ROLLBACK inside a transaction that is never committed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CHECK = "outpace_check"

Execute = Callable[[str], Any]


class Savepoints:
    """Levels of work that is undone, one within the other.

    Each has a savepoint where it began, and one that moves on at each commit.

    ``defers``: the database may leave constraints to the commit, and is then asked to look at them.
    """

    def __init__(self, *, defers: bool) -> None:
        self.defers = defers
        self.depth = 0

    @property
    def name(self) -> str:
        return f"outpace_{self.depth}"

    @property
    def first(self) -> str:
        """Where all of it began."""
        return "outpace_begin_1"

    def push(self) -> list[str]:
        self.depth += 1
        return [f"SAVEPOINT outpace_begin_{self.depth}", f"SAVEPOINT {self.name}"]

    def pop(self) -> list[str]:
        begin = f"outpace_begin_{self.depth}"
        self.depth -= 1
        return [f"ROLLBACK TO SAVEPOINT {begin}", f"RELEASE SAVEPOINT {begin}"]

    def all(self) -> list[str]:
        """What makes the levels that there are, on a new connection."""
        depth, self.depth = self.depth, 0
        return [statement for _ in range(depth) for statement in self.push()]

    @property
    def undo(self) -> str:
        return f"ROLLBACK TO SAVEPOINT {self.name}"

    @property
    def probe(self) -> str:
        """Fails where a statement before it has failed: a commit is a rollback then."""
        return f"SAVEPOINT {CHECK}"

    @property
    def checks(self) -> list[str]:
        """A failure of these is a failure of the commit. Afterwards constraints are deferred as they were."""
        deferred = ["SET CONSTRAINTS ALL IMMEDIATE", f"ROLLBACK TO SAVEPOINT {CHECK}"] if self.defers else []
        return [*deferred, f"RELEASE SAVEPOINT {CHECK}"]

    @property
    def steps(self) -> list[str]:
        return [f"RELEASE SAVEPOINT {self.name}", f"SAVEPOINT {self.name}"]

    # -- for those that need not wait

    def commit(self, execute: Execute) -> None:
        try:
            execute(self.probe)
        except Exception:
            execute(self.undo)
            return
        try:
            for statement in self.checks:
                execute(statement)
        except Exception:
            execute(self.undo)
            raise
        for statement in self.steps:
            execute(statement)

    def rollback(self, execute: Execute) -> None:
        execute(self.undo)
