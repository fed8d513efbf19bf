"""Logical databases of a Redis server, lent to workers, and who has them.

Redis has a fixed number of them, so they are leased. A lease is a connection of the controller whose name says which
database it is for: every run of every host sees it in ``CLIENT LIST``, and it ends with the process, however that ends.
Which databases outpace has written to is kept in a set in the address's own database: of those that are not empty it
takes no others, for somebody's data may be there.
"""

from __future__ import annotations

import contextlib
import random
import re
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .errors import DatabaseError
from .resp import Connection, Refused

if TYPE_CHECKING:
    from .urls import Url

MARK = "outpace:leased"
_LEASE = re.compile(r"(?:^| )name=outpace-lease-(?P<run>[0-9a-f]+)-(?P<number>\d+)(?= |$)")
_USUAL = 16
_PATIENCE = 10.0


class Redis:
    """The server behind an address. Names of databases are their numbers."""

    def __init__(self, url: Url, table: str) -> None:
        self.url = url
        self.table = table
        self._mark = f"{zlib.crc32(table.encode()) & 0xFFFFFF:06x}"
        self._connection: Connection | None = None
        self.leases: dict[int, Connection] = {}
        self._of_workers: dict[str, int] = {}
        self._free: list[int] = []
        self._run = ""

    @property
    def connection(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.url)
        return self._connection

    # -- names

    def clone_name(self, run: str, worker: str) -> str:
        """Leased when first asked for."""
        if worker not in self._of_workers:
            self._run = run + self._mark
            self._of_workers[worker] = self._free.pop() if self._free else self._lease()
        return str(self._of_workers[worker])

    def release(self, worker: str) -> None:
        """The worker is gone: the next one may have its database."""
        number = self._of_workers.pop(worker, None)
        if number is not None:
            self._free.append(number)

    def address(self, name: str) -> str:
        return self.url.with_database(name)

    def version(self) -> str:
        return ""

    # -- before the run

    def check(self, *, copies_source: bool) -> None:
        with self._allowed():
            self.connection.call("PING")
            self._claims()

    def own(self, run: str) -> None:
        """Leases are what is owned."""

    def sweep(self) -> list[str]:
        """Empty what runs that are over have left; returns the numbers."""
        swept = []
        for number in self._marked():
            if number not in self._claims():
                lease = self._claim(number)
                if lease is not None:
                    self._give_back(number, lease)
                    swept.append(str(number))
        return swept

    def drop_run(self, run: str) -> None:
        for number, lease in list(self.leases.items()):
            claims = self._claims()
            if claims.get(number, self._run) == self._run:  # else the lease was lost, and is another run's
                self._give_back(number, lease)
            del self.leases[number]

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # -- a worker's part

    def clone(self, template: str | None, name: str) -> None:
        """Empty, whatever the worker before has left."""
        self._empty(int(name))

    # -- leases

    def _lease(self) -> int:
        with self._allowed():
            until = time.monotonic() + _PATIENCE
            while True:
                number = self._candidate()
                lease = self._claim(number)
                if lease is not None:
                    self.leases[number] = lease
                    self._source().call("SADD", MARK, number)
                    self._empty(number)
                    return number
                if time.monotonic() > until:
                    raise DatabaseError(f"no database of the server of {self.url.shown} could be leased: try again")
                time.sleep(random.uniform(0, 0.02))

    def _candidate(self) -> int:
        """From the last one down: the first ones are what people use."""
        claims, marked = self._claims(), self._marked()
        there = self._count()
        foreign = []
        for number in reversed(range(there)):
            if number == int(self.url.database) or number in claims:
                continue
            try:
                self.connection.call("SELECT", number)
            except Refused:
                there = number
                continue
            if number in marked or self.connection.call("DBSIZE") == 0:
                return number
            foreign.append(number)
        own = sum(1 for run in claims.values() if run == self._run)
        parts = [f"1 is the address's own ({self.url.database})", f"{own} are this run's"]
        if len(claims) > own:
            parts.append(f"{len(claims) - own} are other runs'")
        if foreign:
            shown = ", ".join(map(str, sorted(foreign)[:8]))
            parts.append(f"{len(foreign)} hold keys that are not outpace's ({shown})")
        raise DatabaseError(
            f"the server of {self.url.shown} has no database left for another worker: of {there}, "
            f'{", ".join(parts)}. Use fewer workers (-n {max(own, 1)}), set `databases` in redis.conf to more, '
            'or run these tests one at a time: strategy = "serial"'
        )

    def _claim(self, number: int) -> Connection | None:
        """The server does both at once, so of two that want the same one sees the other."""
        lease = Connection(self.url)
        try:
            for words in (
                ("MULTI",),
                ("CLIENT", "SETNAME", f"outpace-lease-{self._run or self._mark}-{number}"),
                ("CLIENT", "LIST"),
            ):
                lease.call(*words)
            _, listed = lease.call("EXEC")
            if sum(1 for each in _leases(listed) if each[1] == number) > 1:
                lease.close()
                return None
            with contextlib.suppress(Refused):  # who listens is not sent away for doing nothing
                lease.call("SUBSCRIBE", "outpace-lease")
        except BaseException:
            lease.close()
            raise
        return lease

    def _give_back(self, number: int, lease: Connection) -> None:
        self._empty(number)
        self._source().call("SREM", MARK, number)
        lease.close()

    def _empty(self, number: int) -> None:
        self.connection.call("SELECT", number)
        self.connection.call("FLUSHDB")

    def _source(self) -> Connection:
        self.connection.call("SELECT", self.url.database)
        return self.connection

    def _marked(self) -> set[int]:
        return {int(each) for each in self._source().call("SMEMBERS", MARK)}

    def _claims(self) -> dict[int, str]:
        """Of all runs, by number."""
        return {number: run for run, number in _leases(self.connection.call("CLIENT", "LIST"))}

    def _count(self) -> int:
        try:
            return int(self.connection.call("CONFIG", "GET", "databases")[1])
        except (Refused, IndexError):  # the user may not; who has more than that loses nothing else
            return _USUAL

    @contextlib.contextmanager
    def _allowed(self) -> Iterator[None]:
        try:
            yield
        except Refused as error:
            if error.code in ("NOAUTH", "WRONGPASS"):
                raise DatabaseError(
                    f"the server refuses {self.url.shown}: {error}. Correct user and password"
                ) from error
            advice = ""
            if error.code == "NOPERM":
                advice = ". The user needs +@connection +client|list +select +flushdb +dbsize +multi +exec"
            elif "SELECT" in str(error) or "cluster" in str(error):
                advice = '. A cluster has one database only: run these tests one at a time, strategy = "serial"'
            raise DatabaseError(f"the server of {self.url.shown} refuses: {error}{advice}") from error


def _leases(listed: str) -> list[tuple[str, int]]:
    found = (_LEASE.search(line) for line in listed.splitlines())
    return [(each["run"], int(each["number"])) for each in found if each is not None]
