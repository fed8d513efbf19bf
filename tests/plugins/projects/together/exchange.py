import asyncio
import os


class Book:
    def __init__(self):
        self.bids = []
        self.asks = []

    def place(self, side, price, quantity):
        if quantity <= 0:
            raise ValueError(quantity)
        orders = self.bids if side == "buy" else self.asks
        orders.append((price, quantity))
        orders.sort(reverse=side == "buy")

    def spread(self):
        if not self.bids or not self.asks:
            return None
        return self.asks[0][0] - self.bids[0][0]


async def stream(prices, delay=0.0):
    for price in prices:
        await asyncio.sleep(delay)
        yield price


def fee(amount):
    rate = float(os.environ.get("FEE", "0.001"))
    return round(amount * rate, 2)
