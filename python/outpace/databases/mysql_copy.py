"""A database of MySQL or MariaDB copied into an empty one of the same server.

Definitions as the server shows them, rows by ``INSERT … SELECT``: no row leaves the server, and no client program is
needed. Events are not copied: they would run beside the tests.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .errors import DatabaseError
from .mysql_drivers import identifier, literal, use
from .sessions import ServerError, Session

# Of a template that is complete; never copied.
MARK = "_outpace_complete"

_DEFINER = re.compile(r"\bDEFINER\s*=\s*(`(?:[^`]|``)*`|\S+?)@(`(?:[^`]|``)*`|[^\s`]+)\s*", re.I)
_NOT_OURS = ("1227", "1370", "1449")  # another user's, which takes rights that few have
_NO_TABLE, _NO_ROUTINE, _BAD_VIEW = "1146", "1305", "1356"
_ROUTINES = ("PROCEDURE", "FUNCTION")


class Source(NamedTuple):
    """What a database consists of."""

    name: str
    tables: Sequence[str]
    definitions: Sequence[str]
    sequences: Sequence[tuple[str, int]]
    columns: dict[str, list[str]]
    """Of each table, those that have values of their own."""
    routines: Sequence[tuple[str, str]]
    """Each with the `sql_mode` that it was made under."""
    views: Sequence[str]
    triggers: Sequence[tuple[str, str]]


def read(session: Session, name: str) -> Source:
    session.query(use(name))
    kinds = session.query(
        "select table_name, table_type from information_schema.tables "
        f"where table_schema = {literal(name)} and table_name <> {literal(MARK)} order by table_name"
    )
    of_kind: dict[str, list[str]] = {}
    for table, kind in kinds:
        of_kind.setdefault(_text(kind), []).append(_text(table))
    sequences = of_kind.get("SEQUENCE", [])
    tables = [*of_kind.get("BASE TABLE", []), *of_kind.get("SYSTEM VERSIONED", [])]
    shown = [*sequences, *tables]
    columns: dict[str, list[str]] = {table: [] for table in tables}
    for table, column in session.query(
        "select table_name, column_name from information_schema.columns "
        f"where table_schema = {literal(name)} and coalesce(generation_expression, '') = '' "
        "order by table_name, ordinal_position"
    ):
        if _text(table) in columns:
            columns[_text(table)].append(_text(column))
    return Source(
        name,
        tables,
        [_show(session, "table", table, 1) for table in shown],
        [(each, _next_value(session, each)) for each in sequences],
        columns,
        _routines(session, name),
        [_show(session, "view", view, 1) for view in of_kind.get("VIEW", [])],
        _triggers(session, name),
    )


def write(session: Session, source: Source, target: str) -> None:
    """Definitions first: each of them ends a transaction. Then all rows in one."""
    session.query(use(target))
    quoted, own = identifier(source.name), identifier(target)
    # Where a column's default is a sequence's next value, the server shows the database as well.
    of_sequence = re.compile(rf"\b((?:next|last)val\(){re.escape(quoted)}\.", re.I)
    for definition in source.definitions:
        session.query(of_sequence.sub(rf"\g<1>{own}.", definition))
    for routine, mode in source.routines:
        _create(session, routine, mode)
    filled = [table for table in source.tables if source.columns[table]]
    if filled:
        session.query("start transaction")
        for table in filled:
            names = ", ".join(map(identifier, source.columns[table]))
            rows = f"select {names} from {quoted}.{identifier(table)}"
            session.query(f"insert into {own}.{identifier(table)} ({names}) {rows}")
        session.query("commit")
    for sequence, value in source.sequences:
        session.query(f"do setval({identifier(sequence)}, {value}, 0)")
    _create_views(session, source.views)
    for trigger, mode in source.triggers:
        _create(session, trigger, mode)


def _create_views(session: Session, views: Sequence[str]) -> None:
    """One view may read another: in the order that works."""
    pending = list(views)
    while pending:
        failed = []
        for view in pending:
            try:
                _create(session, view, None)
            except ServerError as error:
                if error.code not in (_NO_TABLE, _NO_ROUTINE, _BAD_VIEW):
                    raise
                failed.append((view, error))
        if len(failed) == len(pending):
            raise DatabaseError(f"a view cannot be copied: {failed[0][1]}")
        pending = [view for view, _ in failed]


def _create(session: Session, definition: str, mode: str | None) -> None:
    """As whoever made it; or, without the right to that, as the user of the address."""
    if mode is not None:
        session.query(f"set session sql_mode = {literal(mode)}")
    try:
        try:
            session.query(definition)
        except ServerError as error:
            if error.code not in _NOT_OURS:
                raise
            session.query(_DEFINER.sub("", definition, count=1))
    finally:
        if mode is not None:
            session.query("set session sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")


def _routines(session: Session, name: str) -> list[tuple[str, str]]:
    found = session.query(
        "select routine_type, routine_name from information_schema.routines "
        f"where routine_schema = {literal(name)} order by routine_type, routine_name"
    )
    routines = []
    for kind, routine in found:
        if _text(kind) not in _ROUTINES:
            raise DatabaseError(f"`{_text(routine)}` is a {_text(kind).lower()}, which cannot be copied")
        row = session.query(f"show create {_text(kind)} {identifier(_text(routine))}")[0]
        if row[2] is None:
            raise DatabaseError(
                f"the user may not see what the {_text(kind).lower()} `{_text(routine)}` consists of, and so cannot "
                "copy it: GRANT SELECT ON mysql.proc (MariaDB) or SHOW_ROUTINE ON *.* (MySQL) to it"
            )
        routines.append((_text(row[2]), _text(row[1])))
    return routines


def _triggers(session: Session, name: str) -> list[tuple[str, str]]:
    """In the order in which they are to fire."""
    found = session.query(
        f"select trigger_name from information_schema.triggers where trigger_schema = {literal(name)} "
        "order by event_object_table, event_manipulation, action_timing, action_order"
    )
    rows = [session.query(f"show create trigger {identifier(_text(trigger))}")[0] for (trigger,) in found]
    return [(_text(row[2]), _text(row[1])) for row in rows]


def _show(session: Session, kind: str, name: str, column: int) -> str:
    return _text(session.query(f"show create {kind} {identifier(name)}")[0][column])


def _next_value(session: Session, sequence: str) -> int:
    return int(session.query(f"select next_not_cached_value from {identifier(sequence)}")[0][0])


def _text(value: object) -> str:
    """Some drivers give names and definitions as bytes."""
    return bytes(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)
