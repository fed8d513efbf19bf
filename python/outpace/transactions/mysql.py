"""Connections of pymysql and mysqlclient: what they do to a database is undone at the end.

In MySQL many statements end the transaction that they are in: they are refused here, before they do so.

Of three tests that insert the same key, two wait for the first, and are a deadlock when it is undone. So there is one
writer at a time, as of SQLite: whoever writes first holds a lock of the database's name until its end. Those that only
read wait for nobody. Locks on gaps between rows are avoided as well (``READ COMMITTED``).
"""

from __future__ import annotations

import re
from typing import Any

from .savepoints import Savepoints

BEGIN = ("ROLLBACK", "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION")
LOST = (
    "the transaction around this test is over: a statement has committed it, or the server has rolled it back (a "
    "deadlock, say). What was done until then may be there for good. Clones have no such limits: "
    'strategy = "clone"'
)
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
    """What the server answered. Raises ``RuntimeError``."""
    if row is not None and row[0] == 0:
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


class _Connection:
    """In place of the connection; its cursors ask it. All that it does not know it leaves to the real one."""

    def __init__(self, real: Any, savepoints: Savepoints) -> None:
        self.__dict__.update(
            _real=real, _savepoints=savepoints, _commits_itself=real.get_autocommit(), _is_writer=False
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)

    def _execute(self, statement: str) -> Any:
        cursor = self._real.cursor()
        try:
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None
        except Exception as error:
            if is_lost(error):
                raise RuntimeError(LOST) from error
            raise
        finally:
            cursor.close()

    def cursor(self, cursor: Any = None) -> Any:
        return (cursor or self._real.cursorclass)(self)

    def query(self, sql: Any, *args: Any, **kwargs: Any) -> Any:
        """What all cursors come to."""
        text = bytes(sql).decode("utf-8", "replace") if isinstance(sql, (bytes, bytearray)) else str(sql)
        refuse(text)
        word = ends_or_begins(text)
        if word is None:
            if not self._is_writer and writes(text):
                check_lock(self._execute(LOCK))
                self.__dict__["_is_writer"] = True
            return self._real.query(sql, *args, **kwargs)
        if word == "ROLLBACK":
            self.rollback()
        else:
            self.commit()
        return self._real.query("DO 0", *args, **kwargs)

    def begin(self) -> None:
        """What was there before is committed."""
        self.commit()

    def commit(self) -> None:
        self._savepoints.commit(self._execute)

    def rollback(self) -> None:
        if self._commits_itself:  # there is nothing that has not been
            self.commit()
        else:
            self._savepoints.rollback(self._execute)

    def autocommit(self, value: bool) -> None:
        if value:
            self.commit()
        self.__dict__["_commits_itself"] = bool(value)

    def get_autocommit(self) -> bool:
        return bool(self._commits_itself)

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
        savepoints = Savepoints(defers=False)
        self._inside = _Connection(self.connection, savepoints)
        for statement in (*BEGIN, *savepoints.push()):
            self._inside._execute(statement)
        return self._inside

    def __exit__(self, *error: object) -> None:
        if not getattr(self.connection, "open", True):
            return
        try:
            self._inside.__dict__["_commits_itself"] = False
            self._inside.rollback()
        finally:
            self.connection.rollback()
            if self._inside._is_writer:
                self._inside._execute(UNLOCK)
