"""Connections of mysql.connector, in Python and in C: what they do to a database is undone at the end.

Its cursors want a connection of its own class, so the connection stays what it is, and is of a subclass for a while.
"""

from __future__ import annotations

from typing import Any

from .mysql import NOTHING, Transaction, text_of


def _subclass(kind: Any, inside: RolledBackMysqlConnector) -> type:
    """Without slots or a second base, else no instance of the other class could become one of this."""
    transaction = inside.transaction

    class Inside(kind):  # type: ignore[misc]
        __slots__ = ()

        def cmd_query(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return super().cmd_query(self._or_nothing(query), *args, **kwargs)

        def cmd_query_iter(self, statements: Any, *args: Any, **kwargs: Any) -> Any:
            return super().cmd_query_iter(self._or_nothing(statements), *args, **kwargs)

        def cmd_stmt_prepare(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            if self._or_nothing(statement) is NOTHING:
                raise RuntimeError(
                    f"{text_of(statement)!r} as a prepared statement would end the transaction around this test: use "
                    "the connection's commit() and rollback()"
                )
            return super().cmd_stmt_prepare(statement, *args, **kwargs)

        def _or_nothing(self, statement: Any) -> Any:
            if inside.sends:
                return statement
            self.handle_unread_result()
            return statement if transaction.is_to_be_sent(text_of(statement)) else NOTHING

        def cmd_reset_connection(self) -> bool:
            """What it resets beside the transaction stays."""
            self.rollback()
            return True

        def cmd_change_user(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("another user's transaction cannot be undone: use a connection of its own")

        def start_transaction(self, *args: Any, **kwargs: Any) -> None:
            """The isolation is that of the transaction around the test."""
            transaction.begin()

        def commit(self) -> None:
            self.handle_unread_result()
            transaction.commit()

        def rollback(self) -> None:
            self.consume_results()
            transaction.rollback()

        def close(self) -> None:
            """What has not been committed is lost, as ever; the connection itself is the test's."""
            self.rollback()

        disconnect = close

        @property
        def in_transaction(self) -> bool:
            return transaction.has_begun

        @property
        def autocommit(self) -> bool:
            return transaction.commits_itself

        @autocommit.setter
        def autocommit(self, value: bool) -> None:
            transaction.set_autocommit(value)

    Inside.__name__ = Inside.__qualname__ = kind.__name__
    Inside.__module__ = kind.__module__
    return Inside


class RolledBackMysqlConnector:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.sends = False  # itself, which goes past what looks at statements

    def __enter__(self) -> Any:
        self._kind = type(self.connection)
        self.transaction = Transaction(self._execute, commits_itself=bool(self.connection.autocommit))
        self.transaction.open()
        self.connection.__class__ = _subclass(self._kind, self)
        return self.connection

    def __exit__(self, *error: object) -> None:
        self.connection.__class__ = self._kind
        if not self.connection.is_connected():
            return
        self.connection.consume_results()
        try:
            self.transaction.undo()
        finally:
            self.connection.rollback()
            self.transaction.unlock()

    def _execute(self, statement: str) -> Any:
        self.sends = True
        try:
            cursor = self.connection.cursor(buffered=True)
            try:
                cursor.execute(statement)
                return cursor.fetchone() if cursor.with_rows else None
            finally:
                cursor.close()
        finally:
            self.sends = False
