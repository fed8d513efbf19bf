from contextlib import asynccontextmanager

import anyio


class Pool:
    """A pool of numbered connections, at most ``size`` at a time."""

    def __init__(self, size):
        self.limit = anyio.CapacityLimiter(size)
        self.most = 0

    @asynccontextmanager
    async def connection(self):
        async with self.limit:
            self.most = max(self.most, self.limit.borrowed_tokens)
            yield self.limit.borrowed_tokens
