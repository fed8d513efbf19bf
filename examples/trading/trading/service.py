"""The HTTP API of the application: orders, positions and prices.

Routes only translate between HTTP and the order store or the price feed; they hold no rule of their own.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Callable

from trading.feed import FeedError, PriceFeed
from trading.orders import Order, OrderError, OrderStore
from trading.web import App, HTTPError, Response

POLL = 0.02


class TokenBucket:
    """Allows ``burst`` requests at once and ``rate`` a second in the long run."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()

    def __call__(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            wait = (1 - self._tokens) / self._rate
            raise HTTPError(429, "too many requests", {"Retry-After": f"{wait:.3f}"})
        self._tokens -= 1


def create_app(store: OrderStore, feed: PriceFeed | None = None, limit: TokenBucket | None = None) -> App:
    app = App()
    if limit is not None:
        app.guard(limit)

    @app.route("GET", "/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.route("POST", "/orders", status=201)
    async def place(body: Any) -> Order:
        order = _checked(body)
        try:
            return store.place(**order)
        except OrderError as error:
            raise HTTPError(422, str(error)) from error

    @app.route("GET", "/orders")
    async def find(symbol: str = "", status: str = "") -> list[Order]:
        return store.find(symbol or None, status or None)

    @app.route("GET", "/orders/{order_id}")
    async def get(order_id: int) -> Order:
        return _existing(store, order_id)

    @app.route("DELETE", "/orders/{order_id}")
    async def cancel(order_id: int) -> Order:
        _existing(store, order_id)
        try:
            return store.cancel(order_id)
        except OrderError as error:
            raise HTTPError(409, str(error)) from error

    @app.route("GET", "/orders/{order_id}/wait")
    async def wait(order_id: int, timeout: float = 1.0) -> Response:
        """Answer as soon as the order is done: 200; or 202 when it is still open at the end of the time."""
        deadline = time.monotonic() + timeout
        while not (order := _existing(store, order_id)).done:
            if time.monotonic() >= deadline:
                return Response(202, order)
            store.expire()
            await asyncio.sleep(POLL)
        return Response(200, order)

    @app.route("GET", "/positions")
    async def positions() -> dict[str, int]:
        return store.positions()

    @app.route("GET", "/prices/{symbol}")
    async def price(symbol: str, timeout: float = 0.0) -> Any:
        """The last price; with a timeout, the next one."""
        if feed is None:
            raise HTTPError(503, "no price feed")
        if timeout:
            try:
                return await feed.next(symbol, timeout)
            except asyncio.TimeoutError:
                raise HTTPError(504, f"no price of {symbol} within {timeout} s") from None
            except FeedError as error:
                raise HTTPError(503, str(error)) from error
        tick = feed.last(symbol)
        if tick is None:
            raise HTTPError(404, f"no price of {symbol} yet")
        return {"price": tick.price, "stale": feed.is_stale(symbol)}

    return app


def _checked(body: Any) -> dict[str, Any]:
    """The arguments of :meth:`OrderStore.place`, or 422 saying which field is wrong."""
    if not isinstance(body, dict):
        raise HTTPError(422, "the body must be an object")
    wanted: dict[str, tuple[type, ...]] = {"symbol": (str,), "side": (str,), "quantity": (int,), "price": (int,)}
    for name, types in wanted.items():
        if not isinstance(body.get(name), types):
            raise HTTPError(422, f"{name} must be of type {types[0].__name__}")
    if not isinstance(body.get("ttl", 0), (int, float)):
        raise HTTPError(422, "ttl must be a number")
    unknown = body.keys() - wanted.keys() - {"ttl"}
    if unknown:
        raise HTTPError(422, f"unknown: {', '.join(sorted(unknown))}")
    return body


def _existing(store: OrderStore, order_id: int) -> Order:
    try:
        return store.get(order_id)
    except OrderError as error:
        raise HTTPError(404, str(error)) from error
