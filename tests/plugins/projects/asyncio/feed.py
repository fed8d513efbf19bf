import asyncio


class PriceFeed:
    """An in-memory price feed: publishers put, subscribers iterate."""

    def __init__(self):
        self.queues = []
        self.closed = False

    def subscribe(self):
        queue = asyncio.Queue()
        self.queues.append(queue)
        return queue

    async def publish(self, symbol, price):
        if self.closed:
            raise RuntimeError("feed is closed")
        for queue in self.queues:
            await queue.put((symbol, price))

    async def close(self):
        await asyncio.sleep(0)
        self.closed = True


async def first_above(queue, limit):
    while True:
        symbol, price = await queue.get()
        if price > limit:
            return symbol
