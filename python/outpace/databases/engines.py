"""``strategy = "transaction"``: what a test does through the project's engine is undone at its end."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from outpace.marks import settings_of, subject_of
from outpace.transactions import rolled_back


class Transactions:
    def __init__(self, config: pytest.Config) -> None:
        databases = settings_of(config).databases.values()
        self.databases = [each for each in databases if each.strategy == "transaction"]
        self._engines: dict[str, Any] = {}

    @pytest.fixture(autouse=True)
    def _outpace_transactions(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """After the fixtures with a wider scope, before the test's own."""
        entered: list[Any] = []
        try:
            for database in self.databases:
                if database.filter is None or database.filter.matches(subject_of(request.node)):
                    inside = rolled_back(self._engine(database))
                    inside.__enter__()
                    entered.append(inside)
            yield
        finally:
            for inside in reversed(entered):
                inside.__exit__(None, None, None)

    def _engine(self, database: Any) -> Any:
        if database.name not in self._engines:
            self._engines[database.name] = self._find_engine(database)
        return self._engines[database.name]

    def _find_engine(self, database: Any) -> Any:
        module, _, path = database.engine.partition(":")
        try:
            engine = importlib.import_module(module)
            for name in path.split("."):
                engine = getattr(engine, name)
            inside = rolled_back(engine)
        except (ImportError, AttributeError, TypeError) as error:
            raise pytest.UsageError(f"{database.place}: `engine`: {error}") from error
        if not hasattr(inside, "__enter__"):
            raise pytest.UsageError(
                f"{database.place}: `engine`: {database.engine} is asynchronous: write `async with "
                "rolled_back(engine)` in an asynchronous fixture (outpace.transactions), and remove the table"
            )
        return engine
