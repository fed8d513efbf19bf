"""Suites that share a table: each fails when its tests run beside each other, and passes one by one.

Each test empties the table, fills it, waits a little, and looks. ``DATABASE_URL`` is the address.
"""

from __future__ import annotations

from project import Project

RAW = {
    "psycopg": "psycopg.connect(os.environ['DATABASE_URL'])",
    "psycopg2": "psycopg2.connect(os.environ['DATABASE_URL'])",
    "sqlite3": "sqlite3.connect(os.environ['DATABASE_URL'].split('///', 1)[1], timeout=60)",
}
SCHEMA = "create table if not exists item (name text)"


def raw(project: Project, driver: str, tests: int = 12) -> None:
    project.files(
        test_raw=f"""
        import os, time
        import {driver}
        import pytest

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


def sqlalchemy(project: Project, tests: int = 12) -> None:
    """The engine is made when the application is imported."""
    project.files(
        shop="""
        import os
        from sqlalchemy import create_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

        engine = create_engine(os.environ["DATABASE_URL"])
        Sessions = sessionmaker(engine)

        class Base(DeclarativeBase): pass

        class Item(Base):
            __tablename__ = "item"
            name: Mapped[str] = mapped_column(primary_key=True)
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
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
        from sqlalchemy.pool import NullPool

        engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)
        Sessions = async_sessionmaker(engine)

        class Base(DeclarativeBase): pass

        class Item(Base):
            __tablename__ = "item"
            name: Mapped[str] = mapped_column(primary_key=True)
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
