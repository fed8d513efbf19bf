import functools
import os


@functools.lru_cache(maxsize=None)
def currency():
    return os.environ.get("SHOP_CURRENCY", "USD")
