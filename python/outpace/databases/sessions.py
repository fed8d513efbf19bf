"""A plain session on a server, through whichever driver the project has.

Each statement is a transaction of its own, where nothing else is said. Errors of all drivers become
:class:`ServerError`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from .errors import DatabaseError, InUse

_Result = TypeVar("_Result")


class ServerError(DatabaseError):
    def __init__(self, error: Exception) -> None:
        super().__init__(" ".join(str(_message(error)).split()))
        self.code = _code(error)


def installed(names: Sequence[str], preferred: str = "") -> list[str]:
    """The drivers that are there, the address's own first, then those that the project has imported already."""
    order = sorted(names, key=lambda name: (name != preferred, name not in sys.modules))
    return [name for name in order if _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # of the package that it is in
        return False


class Session:
    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows, if it gives any. Values are written into the text."""
        with told():
            return self._query(statement)

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class DbApi(Session):
    connection: Any

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        try:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.connection.close()


@contextlib.contextmanager
def told() -> Iterator[None]:
    try:
        yield
    except DatabaseError:
        raise
    except Exception as error:
        raise ServerError(error) from error


def patiently(action: Callable[[], _Result], seconds: float = 20) -> _Result:
    """Again, while something is in use that may not be for long."""
    until = time.monotonic() + seconds
    while True:
        try:
            return action()
        except InUse:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def _code(error: Exception) -> str:
    """SQLSTATE of PostgreSQL, the number of MySQL; empty where the server had no say."""
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    if isinstance(number, int):
        return "" if isinstance(error, OSError) else str(number)
    for name in ("sqlstate", "pgcode"):
        found = getattr(error, name, None)
        if isinstance(found, str):
            return found
    details = _details(error)
    return str(details.get("C", "")) if details else ""


def _message(error: Exception) -> object:
    details = _details(error)
    if details:
        return details.get("M", error)
    if len(error.args) > 1 and isinstance(error.args[0], int) and isinstance(error.args[1], str):
        return error.args[1]
    return error if str(error) else type(error).__name__


def _details(error: Exception) -> dict[str, Any] | None:
    """As pg8000 tells them."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, dict) else None
