"""Suites that share a table: each fails when its tests run beside each other, and passes one by one.

Each test empties the table, fills it, waits a little, and looks. ``DATABASE_URL`` is the address.
"""

from __future__ import annotations

from project import Project

RAW = {
    "psycopg": "psycopg.connect(os.environ['DATABASE_URL'])",
    "psycopg2": "psycopg2.connect(os.environ['DATABASE_URL'])",
    "pymysql": "pymysql.connect(**parts(os.environ['DATABASE_URL']))",
    "MySQLdb": "MySQLdb.connect(**parts(os.environ['DATABASE_URL']))",
    "mysql.connector": "mysql.connector.connect(**parts(os.environ['DATABASE_URL']))",
    "sqlite3": "sqlite3.connect(os.environ['DATABASE_URL'].split('///', 1)[1], timeout=60)",
}
SCHEMA = "create table if not exists item (name text)"


def raw(project: Project, driver: str, tests: int = 12) -> None:
    project.files(
        test_raw=f"""
        import os, time
        import {driver}
        import pytest
        from urllib.parse import urlsplit

        def parts(url):
            url = urlsplit(url)
            place = dict(host=url.hostname, port=url.port, user=url.username, password=url.password)
            return dict(place, database=url.path[1:])

        @pytest.fixture
        def connection():
            connection = {RAW[driver]}
            yield connection
            connection.close()

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(connection, n):
            cursor = connection.cursor()
            cursor.execute("delete from item")
            connection.commit()
            for number in range(n + 1):
                cursor.execute(f"insert into item values ('item {{number}}')")
                connection.commit()
                time.sleep(0.005)
            cursor.execute("select count(*) from item")
            assert cursor.fetchone() == (n + 1,)
            connection.commit()
        """
    )


def raw_asyncpg(project: Project, tests: int = 12) -> None:
    project.write("pytest.ini", "[pytest]\nasyncio_mode = auto\n")
    project.files(
        test_raw=f"""
        import asyncio, os
        import asyncpg
        import pytest

        @pytest.mark.parametrize("n", range({tests}))
        async def test_items(n):
            connection = await asyncpg.connect(os.environ["DATABASE_URL"])
            try:
                await connection.execute("delete from item")
                for number in range(n + 1):
                    await connection.execute("insert into item values ($1)", f"item {{number}}")
                    await asyncio.sleep(0.005)
                assert await connection.fetchval("select count(*) from item") == n + 1
            finally:
                await connection.close()
        """
    )


def sqlalchemy(project: Project, tests: int = 12) -> None:
    """The engine is made when the application is imported."""
    project.files(
        shop="""
        import os
        from sqlalchemy import String, create_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

        engine = create_engine(os.environ["DATABASE_URL"])
        Sessions = sessionmaker(engine)

        class Base(DeclarativeBase): pass

        class Item(Base):
            __tablename__ = "item"
            name: Mapped[str] = mapped_column(String(40), primary_key=True)
        """,
        test_shop=f"""
        import time
        import pytest
        from shop import Item, Sessions

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(n):
            with Sessions.begin() as session:
                session.query(Item).delete()
            for number in range(n + 1):
                with Sessions.begin() as session:
                    session.add(Item(name=f"item {{number}}"))
                time.sleep(0.005)
            with Sessions() as session:
                assert session.query(Item).count() == n + 1
        """,
    )


def sqlalchemy_async(project: Project, tests: int = 12) -> None:
    project.write("pytest.ini", "[pytest]\nasyncio_mode = auto\n")
    project.files(
        shop="""
        import os
        from sqlalchemy import String
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from sqlalchemy.pool import NullPool

        engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
        Sessions = async_sessionmaker(engine)

        class Base(DeclarativeBase): pass

        class Item(Base):
            __tablename__ = "item"
            name: Mapped[str] = mapped_column(String(40), primary_key=True)
        """,
        test_shop=f"""
        import asyncio
        import pytest
        from sqlalchemy import delete, func, select
        from shop import Item, Sessions

        @pytest.mark.parametrize("n", range({tests}))
        async def test_items(n):
            async with Sessions.begin() as session:
                await session.execute(delete(Item))
            for number in range(n + 1):
                async with Sessions.begin() as session:
                    session.add(Item(name=f"item {{number}}"))
                await asyncio.sleep(0.005)
            async with Sessions() as session:
                assert await session.scalar(select(func.count()).select_from(Item)) == n + 1
        """,
    )


def fastapi(project: Project, tests: int = 12) -> None:
    sqlalchemy(project, tests)
    (project.path / "test_shop.py").unlink()
    project.files(
        api="""
        from fastapi import FastAPI
        from shop import Item, Sessions

        app = FastAPI()

        @app.delete("/items")
        def clear():
            with Sessions.begin() as session:
                session.query(Item).delete()

        @app.post("/items/{name}")
        def add(name: str):
            with Sessions.begin() as session:
                session.add(Item(name=name))

        @app.get("/items")
        def items() -> list[str]:
            with Sessions() as session:
                return [item.name for item in session.query(Item)]
        """,
        test_api=f"""
        import time
        import pytest
        from fastapi.testclient import TestClient
        from api import app

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(n):
            client = TestClient(app)
            client.delete("/items")
            for number in range(n + 1):
                client.post(f"/items/item{{number}}")
                time.sleep(0.005)
            assert len(client.get("/items").json()) == n + 1
        """,
    )


def fastapi_async(project: Project, tests: int = 12) -> None:
    """All of it on one event loop: endpoints, engine, tests."""
    sqlalchemy_async(project, tests)
    (project.path / "test_shop.py").unlink()
    project.files(
        api="""
        from fastapi import Depends, FastAPI
        from sqlalchemy import delete, select
        from shop import Item, Sessions

        app = FastAPI()

        async def session():
            async with Sessions.begin() as session:
                yield session

        @app.delete("/items")
        async def clear(session=Depends(session)):
            await session.execute(delete(Item))

        @app.post("/items/{name}")
        async def add(name: str, session=Depends(session)):
            session.add(Item(name=name))

        @app.get("/items")
        async def items(session=Depends(session)) -> list[str]:
            return list(await session.scalars(select(Item.name)))
        """,
        test_api=f"""
        import asyncio
        import pytest
        from httpx import ASGITransport, AsyncClient
        from api import app

        @pytest.mark.parametrize("n", range({tests}))
        async def test_items(n):
            async with AsyncClient(transport=ASGITransport(app), base_url="http://shop") as client:
                assert (await client.delete("/items")).status_code == 200
                for number in range(n + 1):
                    assert (await client.post(f"/items/item{{number}}")).status_code == 200
                    await asyncio.sleep(0.005)
                assert len((await client.get("/items")).json()) == n + 1
        """,
    )


def django(project: Project, tests: int = 12) -> None:
    """On a database that is there, as `django_db_setup` is overridden for."""
    project.write("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n")
    project.write("shop/__init__.py", "")
    project.write(
        "shop/models.py",
        """
        from django.db import models

        class Item(models.Model):
            name = models.CharField(max_length=40, primary_key=True)
            class Meta:
                db_table = "item"
                managed = False
        """,
    )
    project.files(
        site_settings="""
        import os
        from urllib.parse import urlsplit

        url = urlsplit(os.environ["DATABASE_URL"])
        if url.scheme.startswith("mysql"):
            import pymysql
            pymysql.install_as_MySQLdb()
        kind = "mysql" if url.scheme.startswith("mysql") else "sqlite3" if url.scheme == "sqlite" else "postgresql"
        SECRET_KEY = "x"
        INSTALLED_APPS = ["shop"]
        USE_TZ = True
        DATABASES = {
            "default": {
                "ENGINE": f"django.db.backends.{kind}",
                "NAME": url.path[1:],
                "USER": url.username or "",
                "PASSWORD": url.password or "",
                "HOST": url.hostname or "",
                "PORT": str(url.port or ""),
            }
        }
        """,
        conftest="""
        import pytest

        @pytest.fixture(scope="session")
        def django_db_setup():
            pass
        """,
        test_shop=f"""
        import time
        import pytest
        from shop.models import Item

        @pytest.fixture(autouse=True)
        def as_it_is(django_db_blocker):
            with django_db_blocker.unblock():
                yield

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(n):
            Item.objects.all().delete()
            for number in range(n + 1):
                Item.objects.create(name=f"item {{number}}")
                time.sleep(0.005)
            assert Item.objects.count() == n + 1
        """,
    )


def redis(project: Project, tests: int = 12) -> None:
    project.files(
        cache="""
        import os
        import redis

        client = redis.Redis.from_url(os.environ["DATABASE_URL"])
        """,
        test_cache=f"""
        import time
        import pytest
        from cache import client

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(n):
            client.flushdb()
            for number in range(n + 1):
                client.rpush("items", number)
                time.sleep(0.005)
            assert [int(each) for each in client.lrange("items", 0, -1)] == list(range(n + 1))
        """,
    )


def redis_async(project: Project, tests: int = 12) -> None:
    project.write("pytest.ini", "[pytest]\nasyncio_mode = auto\n")
    project.files(
        test_cache=f"""
        import asyncio, os
        import pytest
        from redis.asyncio import Redis

        @pytest.mark.parametrize("n", range({tests}))
        async def test_items(n):
            async with Redis.from_url(os.environ["DATABASE_URL"]) as client:
                await client.delete("items")
                for number in range(n + 1):
                    await client.rpush("items", number)
                    await asyncio.sleep(0.005)
                assert await client.llen("items") == n + 1
        """,
    )


def redis_fastapi(project: Project, tests: int = 12) -> None:
    redis(project, tests)
    (project.path / "test_cache.py").unlink()
    project.files(
        api="""
        from fastapi import FastAPI
        from cache import client

        app = FastAPI()

        @app.delete("/hits")
        def clear():
            client.delete("hits")

        @app.post("/hits")
        def hit() -> int:
            return client.incr("hits")
        """,
        test_api=f"""
        import time
        import pytest
        from fastapi.testclient import TestClient
        from api import app

        @pytest.mark.parametrize("n", range({tests}))
        def test_hits(n):
            client = TestClient(app)
            client.delete("/hits")
            for number in range(n + 1):
                assert client.post("/hits").json() == number + 1
                time.sleep(0.005)
        """,
    )


def redis_django(project: Project, tests: int = 12) -> None:
    """Django's cache."""
    project.write("pytest.ini", "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n")
    project.files(
        site_settings="""
        import os

        SECRET_KEY = "x"
        USE_TZ = True
        CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": os.environ["DATABASE_URL"],
            }
        }
        """,
        test_cache=f"""
        import time
        import pytest
        from django.core.cache import cache

        @pytest.mark.parametrize("n", range({tests}))
        def test_items(n):
            cache.clear()
            for number in range(n + 1):
                assert cache.add(f"item {{number}}", number)
                time.sleep(0.005)
            assert cache.get(f"item {{n}}") == n
        """,
    )
