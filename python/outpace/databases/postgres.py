"""Templates and clones on a PostgreSQL server, and who owns them.

A live run holds an advisory lock, in the database ``postgres``, from before its first clone until after its last: the
server lets go of it with the session, however that ends. Whoever gets a run's lock may drop what it has left.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

from . import drivers
from .drivers import identifier, literal
from .errors import DatabaseError, InUse
from .server import SqlServer
from .sessions import ServerError, Session, patiently

MAINTENANCE = "postgres"
# The first of the two numbers of an advisory lock says what it is for.
_RUN, _TEMPLATE = 0x6F757470, 0x6F757471
_IN_USE, _NO_DATABASE, _DUPLICATE, _NO_RIGHT = "55006", "3D000", "42P04", "42501"
# The first versions that drop a database under its users' feet, and that may end a session which does nothing.
_WITH_FORCE, _ENDS_IDLE_SESSIONS = 130000, 140000


class Postgres(SqlServer):
    longest = 63

    def _connect(self) -> Session:
        try:
            return drivers.connect(self.url, MAINTENANCE)
        except ServerError as error:
            where = self.url.shown
            if error.code == _NO_DATABASE:
                raise DatabaseError(
                    f"the server of {where} has no database `{MAINTENANCE}`, where outpace keeps its locks: create it"
                ) from error
            if error.code[:2] == "28" or "authentication failed" in str(error):
                raise DatabaseError(f"the server refuses {where}: {error}. Correct user and password") from error
            advice = "Start the server, or correct the address"
            raise DatabaseError(f"cannot connect to {where}: {error}. {advice}") from error

    def version(self) -> str:
        return str(self.session.query("show server_version_num")[0][0])

    # -- before the run

    def check(self, *, copies_source: bool) -> None:
        """``copies_source``: the address's own database is what is cloned."""
        role, may = self.session.query(
            "select current_user::text, rolcreatedb or rolsuper from pg_roles where rolname = current_user"
        )[0]
        if not may:
            raise DatabaseError(
                f"the role `{role}` may not create databases on the server of {self.url.shown}, and each worker needs "
                f"one. As a superuser: ALTER ROLE {identifier(role)} CREATEDB"
            )
        if copies_source:
            self._check_source()

    def _check_source(self) -> None:
        source = self.url.database
        rows = self.session.query(
            "select datistemplate or pg_has_role(current_user, datdba, 'MEMBER') from pg_database "
            f"where datname = {literal(source)}"
        )
        if not rows:
            raise DatabaseError(
                f"there is no database `{source}` on the server to be cloned: create it, or set `prepare` to the "
                "command that fills an empty one"
            )
        if not rows[0][0]:
            raise DatabaseError(
                f"database `{source}` belongs to another role, so it cannot be copied: ALTER DATABASE "
                f"{identifier(source)} OWNER TO the role of the address, or IS_TEMPLATE true"
            )
        patiently(lambda: self._check_unused(source), seconds=3)

    def _check_unused(self, name: str) -> None:
        users = self.session.query(
            "select pid, coalesce(nullif(application_name, ''), 'unnamed'), usename::text from pg_stat_activity "
            f"where datname = {literal(name)} and pid <> pg_backend_pid()"
        )
        if users:
            raise InUse(self._in_use(name, users))

    def _in_use(self, name: str, users: list[tuple[object, ...]]) -> str:
        shown = ", ".join(f"{application} (process {pid}, user {user})" for pid, application, user in users[:3])
        return (
            f"database `{name}` is in use, and a database that is in use cannot be cloned: {shown or 'by somebody'}. "
            "Close these connections, or set `prepare`, so that a database of outpace's own is cloned"
        )

    # -- owning

    def own(self, run: str) -> None:
        """Until ``close``, or the end of this process."""
        if int(self.version()) >= _ENDS_IDLE_SESSIONS:
            self.session.query("set idle_session_timeout = 0")
        self.session.query(f"select pg_advisory_lock({_RUN}, {_number(self._owner(run))})")

    def _try_lock(self, owner: str) -> bool:
        return bool(self.session.query(f"select pg_try_advisory_lock({_RUN}, {_number(owner)})")[0][0])

    def _unlock(self, owner: str) -> None:
        self.session.query(f"select pg_advisory_unlock({_RUN}, {_number(owner)})")

    def _names(self, part: str) -> list[str]:
        having = f"strpos(datname::text, {literal(part)}) > 0"
        rows = self.session.query(f"select datname::text from pg_database where {having}")
        return [str(name) for (name,) in rows]

    def _drop(self, name: str) -> bool:
        """False where it is another role's."""
        try:
            if int(self.version()) >= _WITH_FORCE:
                self.session.query(f"drop database if exists {identifier(name)} with (force)")
            else:
                self._terminate(name)
                patiently(lambda: self._quietly(f"drop database if exists {identifier(name)}"))
        except ServerError as error:
            if error.code in (_NO_RIGHT, _NO_DATABASE):
                return False
            raise
        return True

    def _terminate(self, name: str) -> None:
        self.session.query(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = {literal(name)} "
            "and pid <> pg_backend_pid()"
        )

    # -- templates

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[None]:
        lock = f"{_TEMPLATE}, {_number(name)}"
        self.session.query(f"select pg_advisory_lock({lock})")
        try:
            yield
        finally:
            self.session.query(f"select pg_advisory_unlock({lock})")

    def exists(self, name: str) -> bool:
        return bool(self.session.query(f"select 1 from pg_database where datname = {literal(name)}"))

    @contextlib.contextmanager
    def making(self, name: str) -> Iterator[str]:
        """The name of an empty database that becomes ``name`` if nothing fails; a half-made one is no template."""
        draft = f"{name}_new"
        self._drop(draft)
        self._create(draft, "template0")
        yield draft
        self.session.query(f"alter database {identifier(draft)} allow_connections false")
        self._terminate(draft)
        patiently(lambda: self._quietly(f"alter database {identifier(draft)} rename to {identifier(name)}"))

    def forget_templates(self, keep: str, most: int) -> None:
        """Those of this table beyond the newest; one that is being cloned stays."""
        made = self.session.query(
            "select datname::text from pg_database where "
            f"strpos(datname::text, {literal(self.template_name(''))}) > 0 and datname <> {literal(keep)} "
            "order by oid desc"
        )
        for (name,) in made[most - 1 :]:
            with contextlib.suppress(ServerError):
                self.session.query(f"drop database if exists {identifier(str(name))}")

    # -- clones

    def clone(self, template: str | None, name: str) -> None:
        """Of the address's own database, if no template is given."""
        source = self.url.database if template is None else template
        patiently(lambda: self._create(name, source))
        settings = self.session.query(
            "select unnest(setconfig) from pg_db_role_setting join pg_database on setdatabase = pg_database.oid "
            f"where setrole = 0 and datname = {literal(self.url.database)}"
        )
        for (setting,) in settings:  # they belong to the name, and are not copied
            key, _, value = str(setting).partition("=")
            self.session.query(f"select set_config({literal(key)}, {literal(value)}, false)")
            self.session.query(f"alter database {identifier(name)} set {key} from current")
            self.session.query(f"reset {key}")

    def _create(self, name: str, template: str) -> None:
        try:
            self.session.query(f"create database {identifier(name)} template {identifier(template)}")
        except ServerError as error:
            if error.code == _DUPLICATE:
                self._drop(name)
                return self._create(name, template)
            if error.code == _IN_USE:
                self._check_unused(template)
                raise InUse(self._in_use(template, [])) from error
            if error.code == _NO_RIGHT:
                raise DatabaseError(f"{error}: the role may not create a database from `{template}`") from error
            raise

    def _quietly(self, statement: str) -> None:
        try:
            self.session.query(statement)
        except ServerError as error:
            if error.code == _IN_USE:
                raise InUse(str(error)) from error
            raise


def _number(name: str) -> int:
    """A lock's second number, signed."""
    return zlib.crc32(name.encode()) - (1 << 31)
