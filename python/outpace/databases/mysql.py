"""Templates and clones on a MySQL or MariaDB server, and who owns them.

A live run holds a lock of ``GET_LOCK`` from before its first clone until after its last: the server lets go of it with
the session, however that ends. Whoever gets a run's lock may drop what it has left.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

from . import mysql_copy, mysql_drivers
from .errors import DatabaseError, InUse
from .mysql_drivers import identifier, literal, use
from .server import SqlServer
from .sessions import ServerError, Session

_LOCK_SECONDS = 86400
_NO_RIGHT = ("1044", "1142", "1227")
_NO_ENTRY = ("1045", "1698", "2059", "1251")
_WAITED = "1205"


class Mysql(SqlServer):
    longest = 64

    def _connect(self) -> Session:
        try:
            return mysql_drivers.connect(self.url)
        except ServerError as error:
            where = self.url.shown
            if error.code in _NO_ENTRY:
                raise DatabaseError(f"the server refuses {where}: {error}. Correct user and password") from error
            advice = "Start the server, or correct the address"
            raise DatabaseError(f"cannot connect to {where}: {error}. {advice}") from error

    def version(self) -> str:
        return str(self.session.query("select version()")[0][0])

    # -- before the run

    def check(self, *, copies_source: bool) -> None:
        """``copies_source``: the address's own database is what is cloned."""
        if copies_source:
            self._check_source()
        probe = f"{self._base}_outpace_probe_{zlib.crc32(self._user().encode()):08x}"
        try:
            self.session.query(f"create database if not exists {identifier(probe)}")
            self.session.query(f"drop database if exists {identifier(probe)}")
        except ServerError as error:
            if error.code not in _NO_RIGHT:
                raise
            user = "@".join(f"'{part}'" for part in self._user().rsplit("@", 1))
            raise DatabaseError(
                f"the user {user} may not create databases on the server of {self.url.shown}, and each worker needs "
                f"one. As an administrator: GRANT ALL ON {self._pattern()}.* TO {user}"
            ) from error

    def _check_source(self) -> None:
        source = self.url.database
        found = self.session.query(
            f"select 1 from information_schema.schemata where schema_name = {literal(source)}"
        )
        if not found:
            raise DatabaseError(
                f"there is no database `{source}` on the server to be cloned, or {self._user()} may not see it: create "
                "it, or set `prepare` to the command that fills an empty one"
            )
        try:
            mysql_copy.read(self.session, source)
        except ServerError as error:
            raise DatabaseError(f"database `{source}` cannot be copied: {error}") from error

    def _user(self) -> str:
        return str(self.session.query("select current_user()")[0][0])

    def _pattern(self) -> str:
        return identifier(f"{self._base}_outpace_".replace("_", r"\_") + "%")

    # -- owning

    def own(self, run: str) -> None:
        """Until ``close``, or the end of this process."""
        self._lock(self._owner(run), _LOCK_SECONDS)

    def _lock(self, name: str, seconds: int) -> bool:
        return bool(self.session.query(f"select get_lock({literal('outpace_' + name)}, {seconds})")[0][0])

    def _try_lock(self, owner: str) -> bool:
        """Not where this session has it already: it would get it again."""
        is_held = self.session.query(f"select is_used_lock({literal('outpace_' + owner)})")[0][0] is not None
        return not is_held and self._lock(owner, 0)

    def _unlock(self, name: str) -> None:
        self.session.query(f"select release_lock({literal('outpace_' + name)})")

    def _names(self, part: str) -> list[str]:
        rows = self.session.query(
            f"select schema_name from information_schema.schemata where locate({literal(part)}, schema_name) > 0"
        )
        return [str(name) for (name,) in rows]

    def _drop(self, name: str) -> bool:
        """With whoever is still connected. False where the user may not."""
        for number in self._users(name):
            with contextlib.suppress(ServerError):  # it is gone, or another user's
                self.session.query(f"kill {number}")
        try:
            self.session.query(f"drop database if exists {identifier(name)}")
        except ServerError as error:
            if error.code in _NO_RIGHT:
                return False
            if error.code == _WAITED:
                raise InUse(f"database `{name}` cannot be dropped: a transaction still uses it") from error
            raise
        return True

    def _users(self, name: str) -> list[int]:
        rows = self.session.query(
            f"select id from information_schema.processlist where db = {literal(name)} and id <> connection_id()"
        )
        return [int(number) for (number,) in rows]

    # -- templates

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        key = f"{zlib.crc32(name.encode()):08x}_template"
        self._lock(key, _LOCK_SECONDS)
        try:
            yield
        finally:
            self._unlock(key)

    def exists(self, name: str) -> bool:
        """A half-made one has no mark."""
        mark = f"table_schema = {literal(name)} and table_name = {literal(mysql_copy.MARK)}"
        return bool(self.session.query(f"select 1 from information_schema.tables where {mark}"))

    @contextlib.contextmanager
    def making(self, name: str) -> Iterator[str]:
        """The name of an empty database that is complete if nothing fails: databases cannot be renamed."""
        self._drop(name)
        self._create(name)
        yield name
        self.session.query(f"create table {identifier(name)}.{identifier(mysql_copy.MARK)} (of_outpace int)")

    def forget_templates(self, keep: str, most: int) -> None:
        """Those of this table beyond the newest; one that is being cloned stays."""
        made = self.session.query(
            "select table_schema from information_schema.tables where "
            f"table_name = {literal(mysql_copy.MARK)} and locate({literal(self.template_name(''))}, table_schema) > 0 "
            f"and table_schema <> {literal(keep)} order by create_time desc"
        )
        for (name,) in made[most - 1 :]:
            if not self._users(str(name)):
                with contextlib.suppress(ServerError):
                    self.session.query(f"drop database if exists {identifier(str(name))}")

    # -- clones

    def clone(self, template: str | None, name: str) -> None:
        """Of the address's own database, if no template is given."""
        source = self.url.database if template is None else template
        self._drop(name)
        holder = self._connect()  # a template that is somebody's current database is not dropped
        try:
            holder.query(use(source))
            found = mysql_copy.read(self.session, source)
            self._create(name)
            mysql_copy.write(self.session, found, name)
        except ServerError as error:
            if error.code == _WAITED:
                raise InUse(
                    f"database `{source}` cannot be copied: an open transaction holds what it consists of. Close these "
                    "connections, or set `prepare`, so that a database of outpace's own is cloned"
                ) from error
            raise DatabaseError(f"database `{source}` cannot be copied: {error}") from error
        finally:
            holder.close()

    def _create(self, name: str) -> None:
        """With the character set of the address's own, if there is one."""
        rows = self.session.query(
            "select default_character_set_name, default_collation_name from information_schema.schemata "
            f"where schema_name = {literal(self.url.database)}"
        )
        like = f" character set {rows[0][0]} collate {rows[0][1]}" if rows else ""
        self.session.query(f"create database {identifier(name)}{like}")
