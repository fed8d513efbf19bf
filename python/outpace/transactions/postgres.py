"""Connections of psycopg and psycopg2: what they do to a database is undone at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .savepoints import Savepoints


class _Connection:
    """In place of the connection. All that it does not know it leaves to the real one."""

    def __init__(self, real: Any, savepoints: Savepoints) -> None:
        # Whether something may have been done since the last commit or rollback.
        self.__dict__.update(_real=real, _savepoints=savepoints, _is_clean=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def _execute(self, statement: str) -> None:
        with self._real.cursor() as cursor:
            cursor.execute(statement)

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        self.__dict__["_is_clean"] = False
        return self._real.cursor(*args, **kwargs)

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Of psycopg only."""
        self.__dict__["_is_clean"] = False
        return self._real.execute(*args, **kwargs)

    @contextlib.contextmanager
    def transaction(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """Of psycopg only: a savepoint, and a commit at its end where it is the first thing that is done."""
        commits = self._is_clean
        with self._real.transaction(*args, **kwargs) as transaction:
            yield transaction
        if commits:
            self.commit()

    def commit(self) -> None:
        self.__dict__["_is_clean"] = True
        self._savepoints.commit(self._execute)

    def rollback(self) -> None:
        self.__dict__["_is_clean"] = True
        self._savepoints.rollback(self._execute)

    def close(self) -> None:
        """What has not been committed is lost, as ever; the connection itself is the test's."""
        self.rollback()

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()


class RolledBackPostgres:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __enter__(self) -> Any:
        real = self.connection
        self._autocommit = real.autocommit
        if self._autocommit:
            real.autocommit = False
        savepoints = Savepoints(defers=True)
        inside = _Connection(real, savepoints)
        for statement in savepoints.push():
            inside._execute(statement)
        return inside

    def __exit__(self, *error: object) -> None:
        if not self.connection.closed:
            self.connection.rollback()
            if self._autocommit:
                self.connection.autocommit = True
