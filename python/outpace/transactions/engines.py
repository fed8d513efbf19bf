"""SQLAlchemy engines, 1.4 and 2: for a while all connections of an engine are one, in a transaction of ours.

The engine's pool is exchanged for one that hands out a single connection, and its dialect's ``do_commit`` and
``do_rollback`` for savepoints. So it holds for sessions, connections and ``raw_connection()`` alike, however the
application came by the engine. Imported only where SQLAlchemy is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import StaticPool

from . import mysql
from .savepoints import Savepoints
from .sqlite import Writer, ends_or_begins

_PATCHED = ("do_commit", "do_rollback", "do_begin")


class _OnePool(StaticPool):  # type: ignore[misc]
    """An application that disposes of its engine keeps what it has done."""

    inside: _Inside

    def dispose(self) -> None:
        pass

    def recreate(self) -> _OnePool:
        return self

    def connect(self) -> Any:
        """``raw_connection()`` leads here, and its ``commit()`` past the dialect."""
        lent = super().connect()
        lent.__class__ = _inside_of(type(lent))
        return lent


_inside: dict[Any, Any] = {}


def _inside_of(kind: Any) -> Any:
    """The class with these two methods in addition."""
    if kind not in _inside:
        _inside[kind] = _make_inside(kind)
    return _inside[kind]


def _make_inside(kind: Any) -> Any:
    def commit(self: Any) -> None:
        self._pool.inside._commit(self)

    def rollback(self: Any) -> None:
        self._pool.inside._rollback(self)

    return type(kind.__name__, (kind,), {"__slots__": (), "commit": commit, "rollback": rollback})


class _Inside:
    """An engine of which nothing is committed; ``levels`` counts who asked for that."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.dialect = engine.dialect
        self.is_sqlite = self.dialect.name == "sqlite"
        self.is_mysql = self.dialect.name in ("mysql", "mariadb")
        self.savepoints = Savepoints(defers=self.dialect.name == "postgresql")
        self.real_pool = engine.pool
        self.lent: Any = None  # the pool's own connection object
        self.dbapi: Any = None
        self.writer: Writer | None = None
        self.is_mysql_writer = False

    @classmethod
    def enter(cls, engine: Any) -> _Inside:
        pool = engine.pool
        inside = pool.inside if isinstance(pool, _OnePool) else cls(engine)
        if inside.savepoints.depth == 0:
            inside._exchange()
        begin = inside.savepoints.push()
        if inside.dbapi is not None:
            for statement in begin:
                inside._execute(statement)
        return inside

    def leave(self) -> None:
        undo = self.savepoints.pop()
        if self.savepoints.depth:
            if self.dbapi is not None:
                for statement in undo:
                    self._execute(statement)
            return
        try:
            if self.dbapi is not None:
                self._end()
        finally:
            self._restore()
            if self.lent is not None:
                lent, self.lent = self.lent, None
                lent.close()

    # -- the exchange

    def _exchange(self) -> None:
        pool = _OnePool(self._borrow, dialect=self.dialect, reset_on_return="rollback")
        pool.inside = self
        event.listen(pool, "connect", self._begin)
        self.engine.pool = pool
        self._real: dict[str, Callable[..., Any]] = {name: getattr(self.dialect, name) for name in _PATCHED}
        self.dialect.do_commit = self._commit
        self.dialect.do_rollback = self._rollback
        self.dialect.do_begin = self._do_begin
        if self.is_sqlite:
            event.listen(self.engine, "before_cursor_execute", _without_transactions, retval=True)
        elif self.is_mysql:
            event.listen(self.engine, "before_cursor_execute", self._before_mysql)

    def _restore(self) -> None:
        self.engine.pool = self.real_pool
        for name in _PATCHED:
            self.dialect.__dict__.pop(name, None)
        if self.is_sqlite:
            event.remove(self.engine, "before_cursor_execute", _without_transactions)
        elif self.is_mysql:
            event.remove(self.engine, "before_cursor_execute", self._before_mysql)

    def _borrow(self, *_: Any) -> Any:
        if self.lent is not None:  # the one before has been invalidated
            self.lent.invalidate()
        self.lent, self.dbapi = self.real_pool.connect(), None
        return _raw(self.lent)

    # -- in place of the dialect's

    def _begin(self, dbapi: Any, record: Any) -> None:
        if self.is_sqlite:
            self.writer = Writer(dbapi, _executing(dbapi))
            self.writer.begin()
        try:
            if self.is_mysql:
                if _executing(dbapi)("SELECT @@autocommit")[0]:
                    raise RuntimeError("it commits each statement")
                for statement in mysql.BEGIN:
                    _executing(dbapi)(statement)
                self.is_mysql_writer = False
            for statement in self.savepoints.all():
                _executing(dbapi)(statement)
        except Exception as error:
            raise RuntimeError(
                f"rolled_back({self.engine!r}): the connection has no transaction to be rolled back "
                f"(isolation_level='AUTOCOMMIT'?): {error}"
            ) from error
        self.dbapi = dbapi

    def _end(self) -> None:
        try:
            if self.is_mysql:  # which is not told otherwise that the transaction is no more
                self._execute(f"ROLLBACK TO SAVEPOINT {self.savepoints.first}")
        finally:
            self._real["do_rollback"](self.dbapi)
            if self.is_mysql_writer:
                _executing(self.dbapi)(mysql.UNLOCK)
        if self.writer is not None:
            self.writer.end()
        self.dbapi = None

    def _before_mysql(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        """What SQLAlchemy itself begins and commits does not come here."""
        mysql.refuse(statement)
        if mysql.ends_or_begins(statement):
            raise RuntimeError(f"{statement.strip()}: call commit() or rollback(), which are undone after the test")
        if not self.is_mysql_writer and self.dbapi is not None and mysql.writes(statement):
            mysql.check_lock(_executing(self.dbapi)(mysql.LOCK))
            self.is_mysql_writer = True

    def _is_ours(self, connection: Any) -> bool:
        return self.dbapi is not None and (connection is self.dbapi or _raw(connection) is self.dbapi)

    def _commit(self, connection: Any) -> None:
        if self._is_ours(connection):
            self.savepoints.commit(self._execute)
        else:
            self._real["do_commit"](connection)

    def _rollback(self, connection: Any) -> None:
        if self._is_ours(connection):
            self.savepoints.rollback(self._execute)
        else:
            self._real["do_rollback"](connection)

    def _do_begin(self, connection: Any) -> None:
        if not self._is_ours(connection):
            self._real["do_begin"](connection)

    def _execute(self, statement: str) -> None:
        try:
            _executing(self.dbapi)(statement)
        except Exception as error:
            if self.is_mysql and mysql.is_lost(error):
                raise RuntimeError(mysql.LOST) from error
            raise


def _raw(connection: Any) -> Any:
    """The driver's connection (or SQLAlchemy's stand-in for an asynchronous one) behind the pool's object."""
    found = getattr(connection, "dbapi_connection", None)
    return found if found is not None else connection


def _executing(dbapi: Any) -> Callable[[str], Any]:
    def execute(statement: str) -> Any:
        cursor = dbapi.cursor()
        try:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
        finally:
            cursor.close()

    return execute


def _without_transactions(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
    """SQLAlchemy's advice for SQLite is to emit BEGIN in a listener; inside there is a transaction already."""
    return ("SELECT 1" if ends_or_begins(statement) == "BEGIN" else statement), parameters


class RolledBackEngine:
    def __init__(self, engine: Any) -> None:
        self.engine = engine

    def __enter__(self) -> Any:
        self._inside = _Inside.enter(self.engine)
        return self.engine

    def __exit__(self, *error: object) -> None:
        self._inside.leave()


class RolledBackAsyncEngine:
    def __init__(self, engine: Any) -> None:
        self.engine = engine

    async def __aenter__(self) -> Any:
        from sqlalchemy.util.concurrency import greenlet_spawn

        self._inside = await greenlet_spawn(_Inside.enter, self.engine.sync_engine)
        return self.engine

    async def __aexit__(self, *error: object) -> None:
        from sqlalchemy.util.concurrency import greenlet_spawn

        await greenlet_spawn(self._inside.leave)
