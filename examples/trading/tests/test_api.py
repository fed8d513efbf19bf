from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest

from trading.feed import PriceFeed, replay
from trading.orders import OrderStore
from trading.service import TokenBucket, create_app
from trading.web import App, HTTPError, Response, Server

Call = Callable[..., "tuple[int, Any]"]
PRICE_WAITS = [("/prices/ACME?timeout=5", 200), ("/prices/INIT?timeout=0.25", 504), ("/prices/INIT?timeout=5", 503)]
ORDER = {"symbol": "ACME", "side": "buy", "quantity": 10, "price": 2_500}


def call(app: App, method: str, target: str, body: object = None) -> Response:
    """One request without a server."""
    return asyncio.run(app(method, target, b"" if body is None else json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
        ("POST", "/health", 405),
        ("GET", "/orders/1", 404),
        ("GET", "/orders/one", 422),
        ("DELETE", "/orders/1", 404),
        ("GET", "/orders/1/wait?timeout=soon", 422),
        ("GET", "/orders?symbol=ACME", 200),
        ("GET", "/prices/ACME", 503),
    ],
)
def test_status_codes(store: OrderStore, method: str, target: str, status: int) -> None:
    assert call(create_app(store), method, target).status == status


def test_a_wrong_method_is_told_the_right_ones(store: OrderStore) -> None:
    response = call(create_app(store), "PUT", "/orders")
    assert response.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"symbol": 5}, "symbol must be of type str"),
        ({"quantity": "10"}, "quantity must be of type int"),
        ({"price": None}, "price must be of type int"),
        ({"side": "hold"}, "not a valid order"),
        ({"ttl": "long"}, "ttl must be a number"),
        ({"note": "hello"}, "unknown: note"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_bad_order_is_explained(store: OrderStore, change: dict[str, object], detail: str) -> None:
    response = call(create_app(store), "POST", "/orders", {**ORDER, **change})
    assert response.status == 422
    assert detail in response.body["detail"]


def test_a_body_that_is_not_json(store: OrderStore) -> None:
    assert asyncio.run(create_app(store)("POST", "/orders", b"{")).status == 400


def test_parameters_come_from_path_and_query() -> None:
    app = App()

    @app.route("GET", "/add/{left}")
    async def add(left: int, right: int, scale: float = 1.0) -> float:
        return (left + right) * scale

    assert call(app, "GET", "/add/2?right=3&scale=1.5").body == 7.5
    assert call(app, "GET", "/add/2").body == {"detail": "right is required"}


def test_a_guard_refuses_before_the_handler() -> None:
    app, called = App(), []

    @app.route("GET", "/")
    async def index() -> None:
        called.append(True)

    @app.guard
    def closed() -> None:
        raise HTTPError(503, "closed for the weekend")

    assert (call(app, "GET", "/").status, called) == (503, [])


@pytest.mark.network
@pytest.mark.database
def test_the_life_of_an_order(client: Call, store: OrderStore) -> None:
    status, order = client("POST", "/orders", ORDER)
    assert (status, order["status"]) == (201, "open")
    store.fill(order["id"], 10)
    assert client("GET", f"/orders/{order['id']}")[1]["status"] == "filled"
    assert client("GET", "/positions") == (200, {"ACME": 10})
    assert client("DELETE", f"/orders/{order['id']}")[0] == 409


@pytest.mark.network
@pytest.mark.waits
@pytest.mark.parametrize("delay", [0.1, 0.4])
def test_waiting_for_an_order_ends_when_it_is_filled(client: Call, store: OrderStore, delay: float) -> None:
    order = store.place("ACME", "buy", 1, 100)
    filling = threading.Timer(delay, store.fill, (order.id, 1))
    started = time.monotonic()
    filling.start()
    status, body = client("GET", f"/orders/{order.id}/wait?timeout=8")
    filling.join()
    assert (status, body["status"]) == (200, "filled")
    assert delay * 0.9 <= time.monotonic() - started < 8


@pytest.mark.network
@pytest.mark.waits
def test_waiting_for_an_order_ends_when_it_expires(client: Call, store: OrderStore) -> None:
    order = store.place("ACME", "buy", 1, 100, ttl=0.3)
    assert client("GET", f"/orders/{order.id}/wait?timeout=8")[1]["status"] == "expired"


@pytest.mark.network
@pytest.mark.waits
@pytest.mark.parametrize("timeout", [0.2, 0.4])
def test_waiting_for_an_order_ends_with_the_time(client: Call, store: OrderStore, timeout: float) -> None:
    order = store.place("ACME", "buy", 1, 100)
    assert client("GET", f"/orders/{order.id}/wait?timeout={timeout}")[0] == 202


@pytest.mark.network
@pytest.mark.waits
def test_one_waiting_client_does_not_hold_up_the_others(client: Call, store: OrderStore) -> None:
    order = store.place("ACME", "buy", 1, 100)
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = pool.submit(client, "GET", f"/orders/{order.id}/wait?timeout=8")
        answers = [client("GET", "/health")[0] for _ in range(5)]
        assert not waiting.done()
        assert answers == [200] * 5
        time.sleep(0.3)
        store.fill(order.id, 1)
        assert waiting.result()[0] == 200


@pytest.mark.waits
def test_the_rate_limit_lets_go_again(store: OrderStore) -> None:
    app = create_app(store, limit=TokenBucket(rate=2, burst=2))
    assert [call(app, "GET", "/health").status for _ in range(3)] == [200, 200, 429]
    time.sleep(float(call(app, "GET", "/health").headers["Retry-After"]) + 0.02)
    assert call(app, "GET", "/health").status == 200


@pytest.mark.waits
@pytest.mark.parametrize(("path", "status"), PRICE_WAITS)
def test_the_next_price(store: OrderStore, path: str, status: int) -> None:
    async def scenario() -> int:
        async with PriceFeed(replay("ACME", [100, 101], 0.2)) as feed:
            return (await create_app(store, feed)("GET", path)).status

    assert asyncio.run(scenario()) == status


@pytest.mark.waits
def test_the_last_price_grows_stale(store: OrderStore) -> None:
    async def scenario() -> list[Any]:
        async with PriceFeed(replay("ACME", [100], 0.01), stale_after=0.4) as feed:
            app = create_app(store, feed)
            answers = [(await app("GET", "/prices/ACME")).status, (await app("GET", "/prices/ACME?timeout=5")).status]
            for pause in (0.0, 0.5):
                await asyncio.sleep(pause)
                answers.append((await app("GET", "/prices/ACME")).body["stale"])
            return answers

    assert asyncio.run(scenario()) == [404, 200, False, True]


@pytest.mark.network
@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("nonsense", 400),
        ("POST /orders HTTP/1.1\r\nContent-Length: many", 400),
        ("POST /orders HTTP/1.1\r\nContent-Length: 9999999", 413),
    ],
    ids=["line", "length", "size"],
)
def test_a_malformed_request(tmp_path: Path, head: str, status: int) -> None:
    async def scenario() -> bytes:
        with OrderStore(tmp_path / "orders.db") as store:
            async with Server(create_app(store)) as server:
                reader, writer = await asyncio.open_connection(server.host, server.port)
                writer.write(f"{head}\r\n\r\n".encode())
                answer = await reader.read()
                writer.close()
                return answer

    assert asyncio.run(scenario()).startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.network
def test_a_port_in_use_is_an_error(store: OrderStore) -> None:
    async def scenario(port: int) -> None:
        async with Server(create_app(store), port=port):
            pytest.fail("the port was taken")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            asyncio.run(scenario(taken.getsockname()[1]))
