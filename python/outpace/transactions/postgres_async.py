"""Connections of asyncpg, and asynchronous ones of psycopg: what they do to a database is undone at the end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from .savepoints import Savepoints


class _Psycopg:
    """In place of an ``AsyncConnection``. All that it does not know it leaves to the real one."""

    def __init__(self, real: Any, savepoints: Savepoints) -> None:
        # Whether something may have been done since the last commit or rollback.
        self.__dict__.update(_real=real, _savepoints=savepoints, _is_clean=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    async def _execute(self, statement: str) -> None:
        async with self._real.cursor() as cursor:
            await cursor.execute(statement)

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        self.__dict__["_is_clean"] = False
        return self._real.cursor(*args, **kwargs)

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        self.__dict__["_is_clean"] = False
        return await self._real.execute(*args, **kwargs)

    @contextlib.asynccontextmanager
    async def transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """A savepoint, and a commit at its end where it is the first thing that is done."""
        commits = self._is_clean
        async with self._real.transaction(*args, **kwargs) as transaction:
            yield transaction
        if commits:
            await self.commit()

    async def commit(self) -> None:
        self.__dict__["_is_clean"] = True
        points = self._savepoints
        try:
            await self._execute(points.probe)
        except Exception:
            return await self.rollback()
        try:
            for statement in points.checks:
                await self._execute(statement)
        except Exception:
            await self.rollback()
            raise
        for statement in points.steps:
            await self._execute(statement)

    async def rollback(self) -> None:
        self.__dict__["_is_clean"] = True
        await self._execute(self._savepoints.undo)

    async def close(self) -> None:
        """What has not been committed is lost, as ever; the connection itself is the test's."""
        await self.rollback()

    async def __aenter__(self) -> _Psycopg:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        await (self.commit() if kind is None else self.rollback())


class RolledBackPsycopg:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def __aenter__(self) -> Any:
        real = self.connection
        self._autocommit = real.autocommit
        if self._autocommit:
            await real.set_autocommit(False)
        inside = _Psycopg(real, Savepoints(defers=True))
        for statement in inside._savepoints.push():
            await inside._execute(statement)
        return inside

    async def __aexit__(self, *error: object) -> None:
        if not self.connection.closed:
            await self.connection.rollback()
            if self._autocommit:
                await self.connection.set_autocommit(True)


# Outside of ``transaction()`` each of these is a transaction of its own: one that fails leaves the next one alone.
_STATEMENTS = frozenset(
    ("execute", "executemany", "fetch", "fetchrow", "fetchval", "fetchmany", "copy_to_table", "copy_records_to_table")
)


class _Asyncpg:
    """In place of an asyncpg connection, whose ``transaction()`` makes savepoints by itself."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in _STATEMENTS:
            return value

        async def alone(*args: Any, **kwargs: Any) -> Any:
            async with self._real.transaction():
                return await value(*args, **kwargs)

        return alone

    async def close(self, *, timeout: float | None = None) -> None:
        """The connection itself is the test's."""


class RolledBackAsyncpg:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    async def __aenter__(self) -> Any:
        if self.connection.is_in_transaction():
            raise RuntimeError("rolled_back(connection): the connection is in a transaction already")
        self._outer = self.connection.transaction()
        await self._outer.start()
        return _Asyncpg(self.connection)

    async def __aexit__(self, *error: object) -> None:
        if not self.connection.is_closed():
            await self._outer.rollback()
