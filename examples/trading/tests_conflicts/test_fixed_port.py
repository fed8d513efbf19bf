"""Every test serves the API on the port that the application uses in production."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from trading.orders import OrderStore
from trading.service import create_app
from trading.web import Server

PORT = 18_765


@pytest.mark.parametrize("orders", range(8))
def test_the_api_lists_all_orders(tmp_path: Path, orders: int) -> None:
    async def scenario() -> bytes:
        with OrderStore(tmp_path / "orders.db") as store:
            for _ in range(orders):
                store.place("ACME", "buy", 1, 100)
            async with Server(create_app(store), port=PORT):
                await asyncio.sleep(0.2)
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
                writer.write(b"GET /orders HTTP/1.1\r\n\r\n")
                answer = await reader.read()
                writer.close()
                return answer

    assert asyncio.run(scenario()).count(b'"symbol"') == orders
