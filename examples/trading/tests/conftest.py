"""What the tests share: a market data file, an order store, and the API served on a port of its own."""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trading.market import Candle, load, random_walk, save
from trading.orders import OrderStore
from trading.service import create_app
from trading.web import Server


@pytest.fixture(scope="session")
def market_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "candles.csv"
    save(path, random_walk(24_000, seed=7))
    return path


@pytest.fixture(scope="session")
def candles(market_file: Path) -> list[Candle]:
    return load(market_file)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OrderStore]:
    with OrderStore(tmp_path / "orders.db") as store:
        yield store


class Client:
    """A blocking HTTP client for one server."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, target: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{target}", data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def client(store: OrderStore) -> Iterator[Client]:
    """The API on a free port, served by a thread that has its own event loop."""
    ready = threading.Event()
    running: dict[str, Any] = {}

    async def serve() -> None:
        running["loop"], running["stop"] = asyncio.get_running_loop(), asyncio.Event()
        async with Server(create_app(store)) as server:
            running["port"] = server.port
            ready.set()
            await running["stop"].wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="api")
    thread.start()
    assert ready.wait(10), "the server did not start"
    yield Client(running["port"])
    running["loop"].call_soon_threadsafe(running["stop"].set)
    thread.join(10)
    assert not thread.is_alive(), "the server did not stop"
