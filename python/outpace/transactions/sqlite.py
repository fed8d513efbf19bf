"""Connections of ``sqlite3``: what they do to a database is undone at the end.

SQLite has one writer at a time, and a reader that wants to become one may be refused at once. So the transaction is a
writer's from its start, and waits for its turn.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from .savepoints import Execute, Savepoints

# How long a test waits for the one writer before it; ten minutes are for ever.
PATIENCE_MS = 600_000

_WORDS = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(BEGIN|COMMIT|END|ROLLBACK)\b(?!\s+(?:TRANSACTION\s+)?TO\b)", re.I | re.S
)


def ends_or_begins(statement: str) -> str | None:
    """BEGIN, COMMIT or ROLLBACK, if the statement is that, whatever it adds."""
    found = _WORDS.match(statement)
    if found is None:
        return None
    word = found.group(1).upper()
    return "COMMIT" if word == "END" else word


class Writer:
    """A connection's own way with transactions, set aside for a while; also of SQLAlchemy's stand-in for aiosqlite."""

    def __init__(self, connection: Any, execute: Execute) -> None:
        self.connection = connection
        self.execute = execute

    def begin(self) -> None:
        connection = self.connection
        self._autocommit = getattr(connection, "autocommit", None)
        if self._autocommit in (True, False):
            connection.autocommit = -1  # sqlite3.LEGACY_TRANSACTION_CONTROL
        self._isolation_level = connection.isolation_level
        connection.isolation_level = None
        self._timeout = self.execute("PRAGMA busy_timeout")[0]
        self.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        if self._autocommit is not False or not connection.in_transaction:
            self.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        """After the rollback."""
        self.execute(f"PRAGMA busy_timeout = {self._timeout}")
        self.connection.isolation_level = self._isolation_level
        if self._autocommit in (True, False):
            self.connection.autocommit = self._autocommit


class _Cursor(sqlite3.Cursor):
    """A cursor whose connection is inside."""

    inside: _Connection

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        word = ends_or_begins(sql)
        if word is None:
            return super().execute(sql, parameters)
        if word != "BEGIN":
            self.inside._end(word)
        return self

    def executescript(self, sql_script: str) -> _Cursor:
        """The driver's own commits first."""
        for statement in _statements(sql_script):
            self.execute(statement)
        return self


class _Connection:
    """In place of the connection. All that it does not know it leaves to the real one."""

    def __init__(self, real: sqlite3.Connection, savepoints: Savepoints) -> None:
        self.__dict__.update(_real=real, _savepoints=savepoints)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("isolation_level", "autocommit"):
            setattr(self._real, name, value)

    def cursor(self, factory: type[sqlite3.Cursor] | None = None) -> Any:
        if factory is not None:
            return self._real.cursor(factory)
        cursor = self._real.cursor(_Cursor)
        cursor.inside = self
        return cursor

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        return self.cursor().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Any:
        return self.cursor().executemany(sql, parameters)

    def executescript(self, sql_script: str) -> Any:
        return self.cursor().executescript(sql_script)

    def commit(self) -> None:
        self._savepoints.commit(self._real.execute)

    def rollback(self) -> None:
        self._savepoints.rollback(self._real.execute)

    def close(self) -> None:
        """What has not been committed is lost, as ever; the connection itself is the test's."""
        self.rollback()

    def _end(self, word: str) -> None:
        if word == "COMMIT":
            self.commit()
        else:
            self.rollback()

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._end("COMMIT" if kind is None else "ROLLBACK")


class RolledBackSqlite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> Any:
        real = self.connection
        # From Python 3.12 a connection may be in a transaction at all times: that one is undone.
        if real.in_transaction and getattr(real, "autocommit", None) is not False:
            raise RuntimeError("rolled_back(connection): the connection is in a transaction: commit or roll back first")
        self._writer = Writer(real, lambda statement: real.execute(statement).fetchone())
        self._writer.begin()
        savepoints = Savepoints(defers=False)
        for statement in savepoints.push():
            real.execute(statement)
        return _Connection(real, savepoints)

    def __exit__(self, *error: object) -> None:
        try:
            is_open = self.connection.in_transaction
        except sqlite3.ProgrammingError:  # closed, which undoes everything as well
            return
        if is_open:
            self.connection.execute("ROLLBACK")
        self._writer.end()


def _statements(script: str) -> Iterable[str]:
    """The statements of a script, one by one."""
    pending = ""
    for part in re.split(r"(;)", script):
        pending += part
        if part == ";" and sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
