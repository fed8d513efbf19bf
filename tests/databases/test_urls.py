"""Addresses: another database of the same server has the same one but for the name."""

from __future__ import annotations

import pytest
from outpace.databases import urls


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("postgresql://u:p%40ss@h:5433/app?sslmode=disable", "postgresql://u:p%40ss@h:5433/new?sslmode=disable"),
        ("postgresql+asyncpg:///app?host=/run/pg&port=5433", "postgresql+asyncpg:///new?host=/run/pg&port=5433"),
        ("postgres://[::1]/app", "postgres://[::1]/new"),
        ("postgresql://h?dbname=app", "postgresql://h/new"),
        ("postgresql://h?user=u&dbname=app&port=1", "postgresql://h/new?user=u&port=1"),
    ],
)
def test_another_database(text: str, other: str) -> None:
    url = urls.parse(text)
    assert url.database == "app"
    assert url.with_database("new") == other


@pytest.mark.parametrize(
    ("text", "number", "other"),
    [
        ("redis://h", "0", "redis://h/7"),
        ("redis://:p%40ss@h:6380/3?protocol=3", "3", "redis://:p%40ss@h:6380/7?protocol=3"),
        ("rediss://u@h/3?db=4&ssl_cert_reqs=none", "4", "rediss://u@h/3?db=7&ssl_cert_reqs=none"),
        ("unix:///run/redis.sock", "0", "unix:///run/redis.sock?db=7"),
        ("unix://:geheim@/run/redis.sock?db=2", "2", "unix://:geheim@/run/redis.sock?db=7"),
        ("valkey://[::1]/", "0", "valkey://[::1]/7"),
    ],
)
def test_another_database_of_redis(text: str, number: str, other: str) -> None:
    url = urls.parse(text)
    assert (url.dialect, url.database) == ("redis", number)
    assert url.with_database("7") == other
    assert url.host in ("h", "::1", "/run/redis.sock")


def test_another_database_of_mysql() -> None:
    url = urls.parse("mariadb+pymysql://u:p@h/app?charset=utf8mb4&unix_socket=/run/my.sock")
    assert (url.dialect, url.driver, url.database) == ("mysql", "pymysql", "app")
    assert url.with_database("new") == "mariadb+pymysql://u:p@h/new?charset=utf8mb4&unix_socket=/run/my.sock"


def test_the_parts() -> None:
    url = urls.parse("postgresql+psycopg://us%2Fer:p%40s%3As@[::1]:5433/a%20b?sslmode=disable")
    assert (url.dialect, url.driver, url.user, url.password) == ("postgresql", "psycopg", "us/er", "p@s:s")
    assert (url.host, url.port, url.database, url.query) == ("::1", "5433", "a b", {"sslmode": "disable"})
    assert url.with_database("c/d").endswith("/c%2Fd?sslmode=disable")


@pytest.mark.parametrize(
    ("text", "path", "other"),
    [
        ("sqlite:///app.db", "/here/app.db", "sqlite:////clones/app.db"),
        ("sqlite+aiosqlite:////data/app.db?timeout=5", "/data/app.db", "sqlite+aiosqlite:////clones/app.db?timeout=5"),
        ("data/app.sqlite3", "/here/data/app.sqlite3", "/clones/app.db"),
    ],
)
def test_a_file(text: str, path: str, other: str) -> None:
    url = urls.parse(text)
    assert urls.sqlite_path(url, "/here") == path
    assert url.with_database("/clones/app.db") == other


@pytest.mark.parametrize(
    "text", ["postgresql://u:ge/h@eim@h/app", "postgresql://u:geheim@h/app", "postgresql://h/app?user=u&password=geheim"]
)
def test_a_password_is_not_shown(text: str) -> None:
    try:
        shown = urls.parse(text).shown
    except ValueError as error:
        shown = str(error)
    assert "eim" not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "text",
    ["", "app", "mysql://h", "oracle://h/app", "redis://h/app", "postgresql://h", "sqlite://", "sqlite:///:memory:"],
)
def test_not_an_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|names no database|not a file|not the number"):
        urls.parse(text)
