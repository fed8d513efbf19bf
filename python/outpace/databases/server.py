"""What PostgreSQL, MySQL and MariaDB have in common as servers of clones: the names, one session, and the sweep.

Which statements do it is theirs: :mod:`outpace.databases.postgres`, :mod:`outpace.databases.mysql`.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from .sessions import Session

if TYPE_CHECKING:
    from .urls import Url

_CLONE = re.compile(r".*_outpace_(?P<owner>[0-9a-f]{10}_[0-9a-f]{6})_.+", re.S)


class SqlServer:
    """The server behind an address, and what a run may do there. Connects when first asked something."""

    # Of the name of a database.
    longest: int

    def __init__(self, url: Url, table: str) -> None:
        self.url = url
        self.table = table
        self._session: Session | None = None
        self._mark = f"{zlib.crc32(table.encode()) & 0xFFFFFF:06x}"

    # -- names

    @property
    def _base(self) -> str:
        return re.sub(r"\W", "_", self.url.database.lower(), flags=re.ASCII)[:18]

    def clone_name(self, run: str, worker: str) -> str:
        return f"{self._base}_outpace_{self._owner(run)}_{worker}"[: self.longest]

    def template_name(self, key: str) -> str:
        return f"{self._base}_outpace_tpl_{self._mark}_{key[:16]}"

    def _owner(self, run: str) -> str:
        """A run has a lock for each of its tables."""
        return f"{run}_{self._mark}"

    def address(self, name: str) -> str:
        return self.url.with_database(name)

    # -- the session

    @property
    def session(self) -> Session:
        if self._session is None:
            self._session = self._connect()
        return self._session

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    # -- owning

    def sweep(self) -> list[str]:
        """Drop what runs that are over have left; returns the names."""
        clones: dict[str, list[str]] = {}
        for name in self._names("_outpace_"):
            found = _CLONE.fullmatch(name)
            if found is not None:
                clones.setdefault(found["owner"], []).append(name)
        dropped = []
        for owner, names in clones.items():
            if self._try_lock(owner):
                try:
                    dropped += [name for name in names if self._drop(name)]
                finally:
                    self._unlock(owner)
        return dropped

    def drop_run(self, run: str) -> None:
        for name in self._names(f"_outpace_{self._owner(run)}_"):
            self._drop(name)

    # -- the statements

    def _connect(self) -> Session:
        raise NotImplementedError

    def _try_lock(self, owner: str) -> bool:
        """Whether nobody has this owner's lock, which is ours then until it is unlocked."""
        raise NotImplementedError

    def _unlock(self, owner: str) -> None:
        raise NotImplementedError

    def _names(self, part: str) -> list[str]:
        """The databases whose names have this part."""
        raise NotImplementedError

    def _drop(self, name: str) -> bool:
        """Also where somebody is connected. False where this user may not."""
        raise NotImplementedError
