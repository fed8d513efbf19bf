"""Connections of pymysql and mysqlclient: what they do to a database is undone at the end.

(What all drivers of MySQL have in common is here as well.)

In MySQL many statements end the transaction that they are in: they are refused here, before they do so.

Of three tests that insert the same key, two wait for the first, and are a deadlock when it is undone. So there is one
writer at a time, as of SQLite: whoever writes first holds a lock of the database's name until its end. Those that only
read wait for nobody. Locks on gaps between rows are avoided as well (``READ COMMITTED``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .savepoints import Savepoints

BEGIN = ("ROLLBACK", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION")
LOST = (
    "the transaction around this test is over: a statement has committed it, or the server has rolled it back (a "
    "deadlock, say). What was done until then may be there for good. Clones have no such limits: "
    'strategy = "clone"'
)
NOTHING = "DO 0"
_NO_SAVEPOINT = 1305
_COMMENTS = r"(?:\s+|--\s[^\n]*\n|#[^\n]*\n|/\*(?!!).*?\*/)*"
_COMMITS = re.compile(
    _COMMENTS + r"(?P<words>(?:CREATE|DROP)\s+(?!TEMPORARY\b)(?:OR\s+REPLACE\s+(?!TEMPORARY\b))?\w+"
    r"|ALTER\s+\w+|RENAME\s+\w+|TRUNCATE\b"
    r"|GRANT\b|REVOKE\b|(?:UN)?LOCK\s+TABLES?|(?:ANALYZE|CHECK|OPTIMIZE|REPAIR)\s+TABLE|(?:UN)?INSTALL\b|FLUSH\b"
    r"|SET\s+(?:(?:SESSION|LOCAL)\s+|@@(?:SESSION\.|LOCAL\.)?)?AUTOCOMMIT\b)",
    re.I | re.S,
)
_ENDS = re.compile(
    _COMMENTS + r"(?P<word>BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK)\b(?!\s+(?:WORK\s+)?TO\b)", re.I | re.S
)


def refuse(statement: str) -> None:
    """What would commit. Raises ``RuntimeError``."""
    found = _COMMITS.match(statement)
    if found is not None:
        words = " ".join(found["words"].upper().split())
        raise RuntimeError(
            f"{words} would commit what the test has done, as MySQL has it, and cannot be undone: use DELETE in place "
            'of TRUNCATE, make tables before the test, or give each worker a clone: strategy = "clone"'
        )


_READS = re.compile(
    _COMMENTS + r"\(*\s*(?:SELECT|SHOW|DESC|DESCRIBE|EXPLAIN|SET|USE|DO|VALUES|WITH"
    r"|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|BEGIN|START)\b",
    re.I | re.S,
)
_LOCKS = re.compile(r"\bFOR\s+(?:UPDATE|SHARE)\b|\bLOCK\s+IN\s+SHARE\b|\b(?:INSERT|UPDATE|DELETE)\b|\bINTO\b", re.I)
_WRITER = "CONCAT('outpace_writer_', MD5(DATABASE()))"
_PATIENCE = 600
LOCK = f"SELECT GET_LOCK({_WRITER}, {_PATIENCE})"
UNLOCK = f"SELECT RELEASE_LOCK({_WRITER})"


def writes(statement: str) -> bool:
    """Or takes locks as if it did."""
    return _READS.match(statement) is None or _LOCKS.search(statement) is not None


def check_lock(row: Any) -> None:
    """What the server answered, as the project has its rows. Raises ``RuntimeError``."""
    values = row.values() if isinstance(row, dict) else row or ()
    if any(value is not None and int(value) == 0 for value in values):
        raise RuntimeError(f"another test writes to the same database for longer than {_PATIENCE} s")


def ends_or_begins(statement: str) -> str | None:
    """BEGIN, COMMIT or ROLLBACK, if the statement is that, whatever it adds."""
    found = _ENDS.match(statement)
    if found is None:
        return None
    word = found["word"].upper()
    return "BEGIN" if word.startswith("START") else word


def is_lost(error: Exception) -> bool:
    return bool(error.args) and error.args[0] == _NO_SAVEPOINT


class Transaction:
    """What statements, commits and rollbacks come to inside. ``execute`` sends a statement, returns its first row."""

    def __init__(self, execute: Callable[[str], Any], *, commits_itself: bool) -> None:
        self._send = execute
        self._savepoints = Savepoints(defers=False)
        self._is_writer = False
        self.commits_itself = commits_itself
        # What has been begun by a word is not committed by itself.
        self.has_begun = False

    def open(self) -> None:
        for statement in (*BEGIN, *self._savepoints.push()):
            self._execute(statement)

    def undo(self) -> None:
        self._savepoints.rollback(self._execute)

    def unlock(self) -> None:
        if self._is_writer:
            self._execute(UNLOCK)

    def _execute(self, statement: str) -> Any:
        try:
            return self._send(statement)
        except Exception as error:
            if is_lost(error):
                raise RuntimeError(LOST) from error
            raise

    def is_to_be_sent(self, statement: str) -> bool:
        """Else it has been done. Raises ``RuntimeError`` for what would commit."""
        refuse(statement)
        word = ends_or_begins(statement)
        if word is None:
            if not self._is_writer and writes(statement):
                check_lock(self._execute(LOCK))
                self._is_writer = True
            return True
        if word == "BEGIN":
            self.begin()
        elif word == "ROLLBACK":
            self.rollback()
        else:
            self.commit()
        return False

    def begin(self) -> None:
        """What was there before is committed."""
        self.commit()
        self.has_begun = True

    def commit(self) -> None:
        self._savepoints.commit(self._execute)
        self.has_begun = False

    def rollback(self) -> None:
        if self.commits_itself and not self.has_begun:  # there is nothing that has not been
            self.commit()
        else:
            self.undo()
        self.has_begun = False

    def set_autocommit(self, value: bool) -> None:
        if value:
            self.commit()
        self.commits_itself = bool(value)


def text_of(statement: Any) -> str:
    if isinstance(statement, (bytes, bytearray)):
        return bytes(statement).decode("utf-8", "replace")
    return str(statement)


class _Connection:
    """In place of the connection; its cursors ask it. All that it does not know it leaves to the real one."""

    def __init__(self, real: Any) -> None:
        self.__dict__["_real"] = real
        self.__dict__["_inside"] = Transaction(self._execute, commits_itself=real.get_autocommit())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def _execute(self, statement: str) -> Any:
        cursor = self._real.cursor()
        try:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
        finally:
            cursor.close()

    def cursor(self, cursor: Any = None) -> Any:
        return (cursor or self._real.cursorclass)(self)

    def query(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
        """What all cursors come to."""
        return self._real.query(sql if self._inside.is_to_be_sent(text_of(sql)) else NOTHING, *args, **kwargs)

    def begin(self) -> None:
        self._inside.begin()

    def commit(self) -> None:
        self._inside.commit()

    def rollback(self) -> None:
        self._inside.rollback()

    def autocommit(self, value: bool) -> None:
        self._inside.set_autocommit(value)

    def get_autocommit(self) -> bool:
        return bool(self._inside.commits_itself)

    def close(self) -> None:
        """What has not been committed is lost, as ever; the connection itself is the test's."""
        self.rollback()

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class RolledBackMysql:
    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def __enter__(self) -> Any:
        self._inside = _Connection(self.connection)
        self._inside._inside.open()
        return self._inside

    def __exit__(self, *error: object) -> None:
        if not getattr(self.connection, "open", True):
            return
        try:
            self._inside._inside.undo()
        finally:
            self.connection.rollback()
            self._inside._inside.unlock()
